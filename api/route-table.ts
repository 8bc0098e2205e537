import type { Endpoint } from './endpoint.ts'

export type RouteMatch =
  | { kind: 'endpoint'; endpoint: Endpoint; params: Record<string, string>; allow: string[] }
  | { kind: 'wrong method'; pattern: string; allow: string[] }
  | { kind: 'unknown' }

type Route = { endpoint: Endpoint; names: string[] }
type Node = {
  literals: Map<string, Node>
  parameter?: Node
  routes: Map<string, Route>
  pattern: string
  allow: string[]
}

const newNode = (): Node => ({ literals: new Map(), routes: new Map(), pattern: '', allow: [] })

/**
 * Finds the endpoint of a method and path. Known before anything is read or decided, so that credentials, limits, logs
 * and the body reader all go by the same route. A literal segment goes before a parameter (`/users/me`, `/users/:id`).
 * @throws Error at the start when two endpoints have the same method and path
 */
export function createRouteTable(endpoints: Endpoint[]): { match(method: string, path: string): RouteMatch } {
  const root = newNode()
  for (const endpoint of endpoints) {
    let node = root
    for (const segment of endpoint.path.split('/').slice(1)) node = child(node, segment)
    const method = endpoint.method.toUpperCase()
    if (node.routes.has(method)) throw new Error(`${method} ${endpoint.path} is there twice`)
    node.routes.set(method, { endpoint, names: parameterNames(endpoint.path) })
    node.pattern = endpoint.path
    node.allow = allowed(node)
  }

  return {
    match(method, path) {
      const segments = decode(path)
      const found = segments && find(root, segments, [])
      if (!found) return { kind: 'unknown' }
      const { node, values } = found
      const { pattern, allow } = node
      const route = node.routes.get(method === 'HEAD' ? 'GET' : method)
      if (!route) return { kind: 'wrong method', pattern, allow }
      const { endpoint, names } = route
      const params = Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
      return { kind: 'endpoint', endpoint, params, allow }
    }
  }
}

function child(node: Node, segment: string): Node {
  if (segment.startsWith(':')) {
    node.parameter ??= newNode()
    return node.parameter
  }
  const next = node.literals.get(segment) ?? newNode()
  node.literals.set(segment, next)
  return next
}

const parameterNames = (path: string): string[] =>
  path.split('/').flatMap((segment) => (segment.startsWith(':') ? [segment.slice(1)] : []))

function find(
  node: Node,
  [segment, ...rest]: string[],
  values: string[]
): { node: Node; values: string[] } | undefined {
  if (segment === undefined) return node.routes.size > 0 ? { node, values } : undefined
  const literal = node.literals.get(segment)
  return (
    (literal && find(literal, rest, values)) ?? (node.parameter && find(node.parameter, rest, [...values, segment]))
  )
}

/** `undefined` for what no route can mean: empty segments, broken percent-encoding, too many segments to be ours. */
function decode(path: string): string[] | undefined {
  const segments = path.replace(/\/$/, '').split('/').slice(1)
  if (segments.length > 12) return undefined
  try {
    const decoded = segments.map(decodeURIComponent)
    return decoded.every((segment) => segment !== '') ? decoded : undefined
  } catch {
    return undefined
  }
}

function allowed({ routes }: Node): string[] {
  const methods = [...routes.keys()]
  return [...methods, ...(routes.has('GET') ? ['HEAD'] : []), 'OPTIONS'].sort()
}
