export type LoginPage = {
  /** what went wrong with the last try, in words for the person */
  problem?: string
  email?: string
  /** whether an administrator is logged in already */
  signedIn?: boolean
}

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character] ?? '')

/** The page at `/admin/login`: works without scripts, by keyboard, with a screen reader, in light and dark. */
export function loginPage({ problem, email = '', signedIn = false }: LoginPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${problem ? 'Not logged in' : 'Log in'} · Queues</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<h1>Queues</h1>
${signedIn ? signedInPart : form(problem, email)}
</main>
</body>
</html>
`
}

const signedInPart = `<p>You are logged in.</p>
<p><a class="button" href="/admin/queues">Open the queues</a></p>
<form method="post" action="/admin/logout"><button class="plain">Log out</button></form>`

function form(problem: string | undefined, email: string): string {
  return `<p>The queue monitor is for administrators.</p>
${problem ? `<p class="problem" role="alert" id="problem">${escape(problem)}</p>` : ''}
<form method="post" action="/admin/login">
<label for="email">E-mail</label>
<input id="email" name="email" type="text" inputmode="email" autocomplete="username" autocapitalize="none"
  spellcheck="false" required maxlength="254" value="${escape(email)}"${problem ? ' aria-describedby="problem"' : ' autofocus'}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required
  maxlength="1000"${problem ? ' aria-describedby="problem" autofocus' : ''}>
<button>Log in</button>
</form>`
}

const style = `
:root { color-scheme: light dark; --line: light-dark(#8a94a3, #6b7685); --accent: light-dark(#1f5fbf, #8ab4f8); }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem;
  font: 1rem/1.5 system-ui, sans-serif; background: light-dark(#f3f5f8, #14181e); color: light-dark(#1b2430, #e6eaf0); }
main { width: 100%; max-width: 24rem; padding: 2rem; border-radius: 0.75rem; background: light-dark(#fff, #1d232b);
  box-shadow: 0 1px 3px rgb(0 0 0 / 0.25); }
h1 { margin: 0 0 0.5rem; font-size: 1.5rem; }
p { margin: 0 0 1rem; }
label { display: block; margin: 1rem 0 0.25rem; font-weight: 600; }
input { width: 100%; padding: 0.6rem 0.7rem; font: inherit; color: inherit; background: transparent;
  border: 1px solid var(--line); border-radius: 0.4rem; }
button, .button { display: block; width: 100%; margin-top: 1.5rem; padding: 0.65rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; border: 0; border-radius: 0.4rem; cursor: pointer;
  background: var(--accent); color: light-dark(#fff, #10151c); }
button.plain { background: transparent; color: var(--accent); border: 1px solid var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { padding: 0.6rem 0.8rem; border-left: 4px solid light-dark(#b3261e, #f2b8b5);
  background: light-dark(#fdecea, #3b2220); }
`
