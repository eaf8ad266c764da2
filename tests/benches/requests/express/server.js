// The shop's list and its books from memory, with Express.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import express from "express";

const [, , answers] = process.argv;
const read = (file) => JSON.parse(readFileSync(join(answers, file), "utf8"));
const page = read("page.json");
const books = new Map([...page, read("book.json")].map((book) => [book.id, book]));

const app = express();
app.get("/api/books", (request, response) => {
  response.json(page);
});
app.get("/api/books/:id", (request, response) => {
  const book = books.get(request.params.id);
  if (book) response.json(book);
  else response.status(404).json({ error: "Book not found" });
});
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
