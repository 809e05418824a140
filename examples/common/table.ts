// Tables and numbers for people to read.

/** Lines of a text table. The first column is flush left, the others flush right. */
export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  )
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '─'.repeat(width)).join('──')
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/** With thousands separated, rounded to a whole number. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** With `digits` decimals; a dash for what is not a number. */
export function decimals(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–'
}
