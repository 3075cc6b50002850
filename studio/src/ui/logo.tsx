// The logo: a jumping-jack with the brads that hold its limbs.

/** A jumping-jack: head, limbs, and the brads that hold them. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true">
      <path d="M16 11.5v9.5M16 13 6 8.5M16 13l10-4.500M16 21l-6 8M16 21l6 8" />
      <circle cx="16" cy="6" r="3.6" />
      <circle class="joint" cx="16" cy="13" r="1.700" />
      <circle class="joint" cx="16" cy="21" r="1.700" />
    </svg>
  )
}
