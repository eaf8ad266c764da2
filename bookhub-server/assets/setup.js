// The token stands behind the #, which browsers keep to themselves.
const token = location.hash.slice(1);
const form = document.querySelector("#setup");
const said = document.querySelector("#said");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  said.textContent = "";
  try {
    const { username, password } = Object.fromEntries(new FormData(form));
    const response = await fetch("/api/auth/setup", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token, username, password }),
    });
    const answer = await response.json();
    if (response.ok) {
      history.replaceState(null, "", "/setup");
      form.replaceChildren(said);
      said.textContent = `${answer.user.username} runs the shop from now on, and is logged in here.`;
      return;
    }
    const details = (answer.details ?? []).map(({ field, message }) => `${field}: ${message}`);
    said.textContent = [answer.error, ...details].join(" ");
  } catch {
    said.textContent = "The shop cannot be reached: try again.";
  } finally {
    button.disabled = false;
  }
});
