// Web Locks as far as a shared feed uses them: one holder for each name, the others in line.

export class Locks {
  #line = new Map();

  request(name, { signal }, held) {
    const line = this.#line.get(name) ?? [];
    this.#line.set(name, line);
    return new Promise((resolve, reject) => {
      const leave = () => {
        line.splice(line.indexOf(entry), 1);
        this.#next(line);
      };
      const entry = {
        run: async () => {
          entry.holds = true;
          try {
            resolve(await held());
          } catch (error) {
            reject(error);
          }
          leave();
        },
      };
      signal.addEventListener('abort', () => {
        if (entry.holds) return;
        leave();
        reject(signal.reason);
      });
      line.push(entry);
      this.#next(line);
    });
  }

  #next(line) {
    const [first] = line;
    if (first && !first.holds) setImmediate(() => line[0] === first && !first.holds && first.run());
  }
}
