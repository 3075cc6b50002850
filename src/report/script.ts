/** The page's behaviour, as it stands in the page: rows that open, columns that sort, a choice of kind. */
export const script = `
'use strict'
const table = document.getElementById('networks')
const groups = () => [...table.tBodies]

// Rows that open.
const toggle = (group, open) => {
  group.querySelector('th button').setAttribute('aria-expanded', String(open))
  group.rows[1].hidden = !open
}
table.addEventListener('click', (event) => {
  const row = event.target.closest('tbody > tr:first-child')
  if (row === null || event.target.closest('a')) return
  toggle(row.parentElement, row.parentElement.rows[1].hidden)
})

// Columns that sort.
const cell = (group, column) => group.rows[0].cells[column].dataset.value
const compare = (a, b) => {
  if (a === '' || b === '') return (a === '') - (b === '')
  const [x, y] = [Number(a), Number(b)]
  return Number.isNaN(x - y) ? a.localeCompare(b) : x - y
}
const heads = [...table.tHead.rows[0].cells]
for (const [column, head] of heads.entries()) {
  head.querySelector('button').addEventListener('click', () => {
    const down = head.getAttribute('aria-sort') === 'ascending'
    for (const other of heads) other.removeAttribute('aria-sort')
    head.setAttribute('aria-sort', down ? 'descending' : 'ascending')
    const sign = down ? -1 : 1
    table.append(...groups().sort((a, b) => sign * compare(cell(a, column), cell(b, column))))
  })
}

// Networks or detectors.
const kinds = [...document.querySelectorAll('input[name=kind]')]
const show = (kind) => {
  for (const input of kinds) input.checked = input.value === kind
  for (const part of document.querySelectorAll('[data-as]')) part.hidden = part.dataset.as !== kind
}
for (const input of kinds) input.addEventListener('change', () => show(input.value))
if (kinds.length > 0) show(kinds.find((input) => input.checked).value)

// Points of the plots lead to rows.
const follow = () => {
  const group = document.getElementById(decodeURIComponent(location.hash.slice(1)))
  if (group === null || group.parentElement !== table) return
  if (kinds.length > 0) show(group.dataset.as)
  toggle(group, true)
  group.scrollIntoView({ block: 'start' })
  group.querySelector('th button').focus({ preventScroll: true })
}
addEventListener('hashchange', follow)
// A second click on the same point changes no address.
document.addEventListener('click', (event) => {
  const point = event.target.closest('a.point')
  if (point !== null && point.getAttribute('href') === location.hash) follow()
})
follow()
`
