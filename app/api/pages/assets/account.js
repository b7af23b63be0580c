// The page that a mail's link opens: `#activate=…`, `#password=…`, `#email=…`, `#unsubscribe=…`. The token follows the #, so that no server
// or log receives it. It is used only when a person presses the button, because programs follow links, too.

const DONE = {
  activate: "Your account is active. You can log in now.",
  password: "Your password has been changed. You can log in with it now.",
  email: "The address is confirmed.",
  unsubscribe: "You will receive no more mails about this conversation.",
};

const outcome = document.getElementById("outcome");
const [page, token] = location.hash.slice(1).split("=", 2);
const form = page in DONE && token ? document.getElementById(page) : null;

// Another link, opened in this tab.
addEventListener("hashchange", () => location.reload());
history.replaceState(null, "", location.pathname);

if (form === null) {
  outcome.textContent = "Open this page with the link in a mail. Each link works once and expires.";
} else {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(form);
  });
}

async function act(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  outcome.textContent = "…";
  const answer = await ask(`/api/v1/${form.dataset.does}/`, { token, ...Object.fromEntries(new FormData(form)) });
  button.disabled = false;
  outcome.textContent = answer ?? DONE[page];
  form.hidden = answer === null;
}

// Returns a sentence that describes the error, or null.
async function ask(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    if (answer.ok) return null;
    const problem = await answer.json();
    return problem.detail;
  } catch {
    return "The server could not be reached. Try again.";
  }
}
