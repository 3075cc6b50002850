const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as it can stand in HTML and SVG, in content and in quoted attributes. */
export const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character]!)

/** A coordinate: a tenth of a pixel is as fine as anyone sees. */
export const fixed = (value: number): string => String(Math.round(10 * value) / 10)

/** Table cells of a row, escaped, the first one as its head. */
export function tableRow([head, ...cells]: readonly string[]): string {
  const rest = cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')
  return `<tr><th scope="row">${escaped(head ?? '')}</th>${rest}</tr>`
}

/** A table of texts, escaped, in a box that scrolls where it is too wide. @param caption read out, not shown. */
export function plainTable(
  caption: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const columns = head.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join('')
  return `<div class="scroll" tabindex="0" role="region" aria-label="${escaped(caption)}"><table class="plain">
<caption class="unseen">${escaped(caption)}</caption>
<thead><tr>${columns}</tr></thead>
<tbody>${rows.map(tableRow).join('\n')}</tbody>
</table></div>`
}
