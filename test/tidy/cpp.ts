// Finds functions in C++ sources by their braces: enough to measure them, no parser. Text in
// comments, literals and preprocessor lines is blanked first, keeping every line where it is.

export interface FunctionSpan {
  name: string
  line: number
  lines: number
}

const blank = (text: string): string => text.replace(/[^\n]/g, ' ')

const kBlanked = new RegExp(
  [
    /\/\/[^\n]*/.source,
    /\/\*[\s\S]*?\*\//.source,
    /R"([^\s()\\]{0,16})\([\s\S]*?\)\1"/.source,
    /"(?:[^"\\\n]|\\.)*"/.source,
    /(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)*'/.source,
    /^[ \t]*#(?:[^\n]*\\\n)*[^\n]*/.source,
  ].join('|'),
  'gm',
)

/** The source with only its code left. */
export function blankNonCode(text: string): string {
  return text.replace(kBlanked, blank)
}

/** Drops `template <...>` with nested angle brackets from the start of a declaration. */
function withoutTemplate(head: string): string {
  const trimmed = head.trim()
  if (!/^template\s*</.test(trimmed)) return trimmed
  let depth = 0
  for (let i = trimmed.indexOf('<'); i < trimmed.length; i++) {
    if (trimmed[i] === '<') depth++
    if (trimmed[i] === '>' && trimmed[i - 1] !== '-' && --depth === 0) {
      return withoutTemplate(trimmed.slice(i + 1))
    }
  }
  return trimmed
}

const kType =
  /^(?:(?:inline|static|typedef|extern|export|const)\s+)*(?:class|struct|union|enum|namespace)\b/
const kNoFunction = new RegExp(`${kType.source}|^extern\\b|=\\s*$`)

function isFunctionHead(head: string): boolean {
  const plain = withoutTemplate(head.replace(/^\s*(?:public|private|protected)\s*:/, ''))
  return plain.includes('(') && !kNoFunction.test(plain)
}

/** Outermost functions with a body; what is nested in them counts as theirs. */
export function cppFunctions(text: string): FunctionSpan[] {
  const code = blankNonCode(text)
  const found: FunctionSpan[] = []
  const lineAt = (offset: number) => code.slice(0, offset).split('\n').length
  let depth = 0
  let open: { depth: number; start: number; name: string } | undefined
  let headStart = 0
  for (let i = 0; i < code.length; i++) {
    const character = code[i]
    if (character === '{') {
      const head = code.slice(headStart, i)
      if (open === undefined && isFunctionHead(head)) {
        const start = headStart + (head.length - head.trimStart().length)
        open = { depth, start, name: /([\w~:]+)\s*\(/.exec(withoutTemplate(head))?.[1] ?? '?' }
      }
      depth++
    } else if (character === '}') {
      depth--
      if (open?.depth === depth) {
        const line = lineAt(open.start)
        found.push({ name: open.name, line, lines: lineAt(i) - line + 1 })
        open = undefined
      }
    }
    if (character === '{' || character === '}' || character === ';') headStart = i + 1
  }
  return found
}
