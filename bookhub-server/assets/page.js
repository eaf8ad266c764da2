
// The live catalogue: fetch a page of books, then follow the changes from exactly there.
const byId = (id) => document.getElementById(id);
const [list, status, more, fresh, news] = ["books", "status", "more", "fresh", "news"].map(byId);
// ₹899, ₹1,234.50
const rupees = (price) => new Intl.NumberFormat("en-IN", {
  style: "currency", currency: "INR", minimumFractionDigits: Number.isInteger(price) ? 0 : 2,
  maximumFractionDigits: 2,
}).format(price);

const books = new Map(); // id -> { book, card }
let next = null; // the address of the next page
let total = 0;
let waiting = 0; // new books that are not shown yet, so that the list does not jump
let position = null; // up to where this page has seen everything
let token = null;

// ---- the list ----

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function picture(book) {
  const image = element("img");
  const drawn = () => { image.onerror = null; image.src = `/covers/${book.id}.svg?v=${book.version}`; };
  image.alt = "";
  image.loading = "lazy";
  image.width = 200;
  image.height = 300;
  image.onerror = drawn;
  if (book.coverUrl) image.src = book.coverUrl;
  else if (book.isbn && navigator.onLine) {
    image.src = `https://covers.openlibrary.org/b/isbn/${book.isbn}-M.jpg?default=false`;
  } else drawn();
  return image;
}

function badge(book) {
  const recent = (time) => Date.now() - Date.parse(time) < 7 * 864e5;
  if (recent(book.createdAt)) return "New Arrival";
  return book.updatedAt !== book.createdAt && recent(book.updatedAt) ? "Updated" : null;
}

function stock(copies) {
  if (copies === 0) return ["Out of stock", true];
  return copies < 5 ? [`Only ${copies} left`, true] : ["In stock", false];
}

function fill(card, book) {
  const cover = element("div", "cover");
  cover.append(picture(book));
  const mark = badge(book);
  if (mark) cover.append(element("span", "badge", mark));
  const price = element("p", "price", rupees(book.price));
  const [words, low] = stock(book.stock);
  price.append(element("span", low ? "stock low" : "stock", words));
  const year = book.year < 0 ? `${-book.year} BCE` : book.year;
  card.replaceChildren(
    cover, element("h3", "", book.title), element("p", "author", book.author),
    element("p", "facts", `${book.genre} · ${year}`), price,
  );
}

function show(book) {
  const known = books.get(book.id);
  const card = known?.card ?? element("li");
  card.dataset.testid = `book-card-${book.id}`;
  fill(card, book);
  books.set(book.id, { book, card });
  return card;
}

function count() {
  byId("count").textContent = `${filtered() ? "Found" : "All books"}: ${total.toLocaleString("en-IN")}`;
  byId("empty").hidden = total > 0;
  more.hidden = !next;
  fresh.hidden = waiting === 0;
  fresh.textContent = waiting === 1 ? "1 new book – show" : `${waiting} new books – show`;
}

async function load(address, anew) {
  const number = anew ? ++asked : asked;
  const seen = late; // what comes while the answer is on its way is newer than it, or in it
  const answer = await fetch(address);
  if (!answer.ok) throw new Error((await answer.json()).error);
  const page = await answer.json();
  if (number !== asked) return; // somebody has asked for something else meanwhile
  total = Number(answer.headers.get("X-Total-Count"));
  next = /<([^>]*)>; *rel="next"/.exec(answer.headers.get("Link") ?? "")?.[1] ?? null;
  if (anew) {
    books.clear();
    list.replaceChildren();
    waiting = 0;
  }
  list.append(...page.filter((book) => !books.has(book.id)).map(show));
  const at = answer.headers.get("X-Feed-Position");
  for (const { id, event, data } of seen) if (id > at) handlers[event]?.(data, true);
  position ??= at;
  count();
}

let asked = 0; // counts the lists that were asked for
let late = []; // the events since the last one was
const filtered = () => byId("q").value.trim() !== "" || byId("genre").value !== "";
const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

// Shows the list that the fields ask for; tries until it has it, or they ask for another.
async function reload() {
  const address = new URLSearchParams();
  for (const name of ["q", "genre", "sort"]) {
    const value = byId(name).value;
    if (value.trim() && value !== "newest") address.set(name, value);
  }
  history.replaceState(null, "", address.size ? `?${address}` : location.pathname);
  address.set("limit", 48);
  late = [];
  for (let wait = 500; ; wait = Math.min(4000, wait * 2)) {
    const number = asked + 1;
    try {
      return await load(`/api/books?${address}`, true);
    } catch (error) {
      if (number !== asked) return;
      byId("count").textContent = `The books do not come (${error.message}); trying again…`;
      await pause(wait);
      if (number !== asked) return;
    }
  }
}

async function genres() {
  const answer = await fetch("/api/genres");
  const chosen = byId("genre").value;
  const options = (await answer.json()).map(({ genre, count: books }) => {
    const option = element("option", "", `${genre} (${books})`);
    option.value = genre;
    return option;
  });
  byId("genre").replaceChildren(byId("genre").options[0], ...options);
  byId("genre").value = chosen;
}

// ---- the changes ----

function say(words) {
  const line = element("p", "", words);
  news.append(line);
  while (news.children.length > 4) news.firstChild.remove();
  setTimeout(() => line.remove(), 6000);
}

const handlers = {
  "book:created"(book, quiet) {
    if (books.has(book.id)) return;
    if (!quiet) say(`📚 New Book Added! “${book.title}” by ${book.author}`);
    // Whether it is among those that were searched for, the server knows.
    if (filtered()) return;
    total += 1;
    waiting += 1;
  },
  "book:updated"(book, quiet) {
    if (!quiet) say(`✏️ Book Updated: “${book.title}”`);
    const known = books.get(book.id);
    if (!known) return;
    const { version, stockVersion } = known.book;
    if (book.version < version || (book.version === version && book.stockVersion < stockVersion)) return;
    const card = show({ ...known.book, coverUrl: undefined, ...book });
    card.classList.remove("changed");
    void card.offsetWidth; // lets the glow begin again
    card.classList.add("changed");
  },
  "book:deleted"({ id }, quiet) {
    const known = books.get(id);
    if (!quiet) say(known ? `🗑️ Book Deleted: “${known.book.title}”` : "🗑️ Book Deleted");
    if (known || !filtered()) total = Math.max(0, total - 1);
    known?.card.remove();
    books.delete(id);
  },
};

let wait = 500;
function state(name, words) {
  status.dataset.state = name;
  status.textContent = words;
}

function follow() {
  const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`, "bookhub.v1");
  let alive;
  let retryAfter = null;
  const patience = (ms) => { clearTimeout(alive); alive = setTimeout(() => socket.close(), ms); };
  patience(15000);
  socket.onopen = () => {
    const resume = { last_id: position ?? undefined, token: token ?? undefined };
    socket.send(JSON.stringify({ type: "hello", topics: ["books"], resume }));
  };
  let heartbeat = 25000;
  socket.onmessage = async ({ data }) => {
    const message = JSON.parse(data);
    if (message.id) {
      position = message.id;
      late.push(message);
      if (late.length > 10000) late.shift();
      handlers[message.event]?.(message.data, false);
      count();
    } else if (message.event === "connection:success") {
      ({ token, heartbeat } = message.data);
      state("live", "Live");
      setTimeout(() => { if (socket.readyState === WebSocket.OPEN) wait = 500; }, 60000);
    } else if (message.event === "ping") {
      position = message.data.position;
    } else if (message.event === "token" || message.event === "subscribed") {
      token = message.data.token;
    } else if (message.event === "resync") {
      position = message.data.position;
      await reload();
    } else if (message.event === "server:draining") {
      retryAfter = message.data.retry_after_ms;
    }
    patience(2 * heartbeat + 5000);
  };
  socket.onclose = ({ code }) => {
    clearTimeout(alive);
    if ([1008, 1009, 4401, 4409].includes(code)) return state("offline", "Offline – reload the page");
    state("offline", navigator.onLine ? "Reconnecting…" : "Offline");
    setTimeout(follow, retryAfter ?? Math.random() * wait);
    wait = Math.min(4000, wait * 2);
  };
}

// ---- the page ----

let typing;
byId("q").oninput = () => { clearTimeout(typing); typing = setTimeout(reload, 150); };
byId("genre").onchange = byId("sort").onchange = reload;
document.querySelector("form").onsubmit = (event) => { event.preventDefault(); reload(); };
fresh.onclick = () => { scrollTo(0, 0); reload(); };
more.onclick = async () => { if (next) await load(next, false).catch((error) => say(error.message)); };
new IntersectionObserver(([seen]) => { if (seen.isIntersecting) more.click(); }, { rootMargin: "600px" })
  .observe(more);

genres().catch((error) => say(error.message));
for (const [name, value] of new URLSearchParams(location.search)) {
  const field = byId(name);
  if (field?.form && name !== "genre") field.value = value;
  else if (name === "genre") {
    // Chosen before the list of genres has come.
    const option = element("option", "", value);
    option.value = value;
    field.append(option);
    field.value = value;
  }
}
reload();
while (position === null) await pause(20);
follow();
