// All addresses of the server: the API, the ticket that opens the page, and the pages. `guard.ts` looks at requests first.
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import { isToken, type Tickets, tokenHeader } from './guard.ts'
import { failureOf, Refusal, textOf } from './refusal.ts'
import { type RunRoutesOptions, runRoutes } from './run-routes.ts'
import type { Site } from './site.ts'

export interface AppOptions extends RunRoutesOptions {
  readonly site: Site
  readonly token: string
  readonly tickets: Tickets
  /** The page's address with the token, from its root. */
  readonly home: string
  /** Is told of every error, refusals included. */
  onError(error: unknown): void
}

/** The application that answers requests which the guard has let through. */
export function createApp(options: AppOptions): Hono<{ Bindings: HttpBindings }> {
  const { site, token, tickets, home, onError } = options
  const app = new Hono<{ Bindings: HttpBindings }>()

  app.use('/api/*', async (c, next) => {
    if (!isToken(c.req.header(tokenHeader), token)) throw noToken()
    await next()
    c.header('Cache-Control', 'no-store')
  })
  app.route('/api/runs', runRoutes(options))

  app.get('/open/:ticket', (c) => {
    // Hono routes HEAD here too. Only GET may use a ticket, and only a ticket gets an answer with the token.
    if (c.req.method !== 'GET') throw notByThisMethod(c.req.method)
    tickets.redeem(c.req.param('ticket'))
    c.header('Cache-Control', 'no-store')
    return c.redirect(home, 303)
  })

  app.get('*', async (c) => (await site.send(c)) ?? c.notFound())

  app.notFound((c) =>
    answer(new Refusal(404, { what: 'there is nothing here', got: c.req.path.slice(0, 100) }), token),
  )
  app.onError((error) => {
    onError(error)
    return answer(error, token)
  })
  return app
}

function answer(error: unknown, token: string): Response {
  const { status, headers, body } = failureOf(error)
  const all = { ...headers, 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  return new Response(textOf(body, token), { status, headers: all })
}

function notByThisMethod(method: string): Refusal {
  return new Refusal(
    405,
    { what: 'this address answers GET alone', got: method, expected: 'GET' },
    { Allow: 'GET' },
  )
}

function noToken(): Refusal {
  return new Refusal(
    401,
    {
      what: 'this needs the token of this pantin studio',
      where: tokenHeader,
      remedy: 'open the address that pantin studio printed when it started',
    },
    { 'WWW-Authenticate': tokenHeader },
  )
}
