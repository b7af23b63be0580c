// The page that a mail's link opens: `#activate=…`, `#password=…`, `#email=…`, `#unsubscribe=…`. The token follows the #, so that no server
// or log receives it. It is used only when a person presses the button, because programs follow links, too.
// Without a token the page offers a mail with a new link: `#resend` one that activates, otherwise one for a new password.

const DONE = {
  activate: "Your account is active. You can log in now.",
  password: "Your password has been changed. You can log in with it now.",
  email: "The address is confirmed. You log in with it from now on.",
  unsubscribe: "You will receive no more mails about this conversation.",
};

const MAILED = {
  forgot: "If there is an account with this address, a mail with the link is on its way.",
  resend: "If there is a registration with this address, a mail with the link is on its way.",
};

const outcome = document.getElementById("outcome");
const [section, token] = location.hash.slice(1).split("=", 2);
const has = Object.hasOwn(DONE, section) && Boolean(token);
const page = has || section === "resend" ? section : "forgot";
const form = document.getElementById(page);

// Another link, opened in this tab.
addEventListener("hashchange", () => location.reload());
history.replaceState(null, "", location.pathname);

if (!has && section && !Object.hasOwn(MAILED, section)) {
  outcome.textContent = "This link is incomplete: open it from the mail, or request a new one.";
}
form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  act();
});

async function act() {
  const button = form.querySelector("button");
  button.disabled = true;
  outcome.textContent = "…";
  const body = { ...(has ? { token } : {}), ...Object.fromEntries(new FormData(form)) };
  const problem = await ask(`/api/v1/${form.dataset.does}/`, body);
  button.disabled = false;
  outcome.textContent = problem?.detail ?? DONE[page] ?? MAILED[page];
  if (problem === null && has) form.hidden = true;
  show("login", problem === null && "logsIn" in form.dataset);
  show("again", problem?.code === "invalid_mailed_token" && "again" in form.dataset);
}

function show(id, visible) {
  const element = document.getElementById(id);
  element.hidden = !visible;
  const link = element.querySelector("a[href^='/account']");
  if (link) link.href = `/account#${form.dataset.again}`;
}

// Returns the problem, or null.
async function ask(path, body) {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    return answer.ok ? null : await answer.json();
  } catch {
    return { detail: "The server could not be reached. Try again." };
  }
}
