// SPDX-License-Identifier: Apache-2.0

/// Plain text in lines of at most so many columns.
struct TextColumn {
    let width: Int

    /// The paragraphs of a text, each line led by the margin.
    func wrapped(_ text: String, indent: Int) -> String {
        let margin = String(repeating: " ", count: indent)
        var result = ""
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = margin
            for word in paragraph.split(separator: " ") {
                if line.count > indent, line.count + 1 + word.count > width {
                    result += line + "\n"
                    line = margin
                }
                line += (line.count > indent ? " " : "") + word
            }
            result += (line.count > indent ? line : "") + "\n"
        }
        return result
    }
}
