// SPDX-License-Identifier: Apache-2.0

import JSON

extension Command {
    /// `sallyport reference [PAGE]`
    static let reference: Command = {
        let page = Positional(name: "PAGE", doc: "The page to print; without it, the names of all.", arity: .optional)
        return Command(
            name: "reference", summary: "Print a page of the reference, as it is for this very version.",
            examples: [.init(line: "sallyport reference metrics.md", meaning: "Every metric:")],
            positionals: [page],
            run: { arguments in
                let pages = ReferencePage.all
                guard let wanted = arguments[page].first else {
                    let names = pages.map(\.name)
                    let isJSON = arguments.isSet(CommandLineProgram.json)
                    Console.write(
                        isJSON
                            ? JSONValue.array(names.map { .string($0) }).text + "\n"
                            : names.map { $0 + "\n" }.joined())
                    return .ok
                }
                guard let found = pages.first(where: { $0.name == wanted }) else {
                    throw UsageError(
                        "There is no page “\(wanted)”.", remedy: "`sallyport reference` lists them.",
                        path: arguments.path)
                }
                Console.write(found.text)
                return .ok
            })
    }()
}
