// What a mail's link opens: `#activate=…`, `#password=…`, `#email=…`, `#unsubscribe=…`. The token stands behind the #, so that no server
// and no log on the way is told it; nothing is spent before a person presses the button (programs follow links, too).

const DONE = {
  activate: "Your account is active. You can log in now.",
  password: "Your password is changed. You can log in with it now.",
  email: "The address is confirmed.",
  unsubscribe: "You will get no more mails about this conversation.",
};

const outcome = document.getElementById("outcome");
const [page, token] = location.hash.slice(1).split("=", 2);
const form = page in DONE && token ? document.getElementById(page) : null;

// Another link, opened in this tab.
addEventListener("hashchange", () => location.reload());
history.replaceState(null, "", location.pathname);

if (form === null) {
  outcome.textContent = "Open this page by the link in a mail. Links work once, and not for ever.";
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

// A sentence about what went wrong, or null.
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
