// Feedback while a new password is typed. Advice only: the server decides. Nothing leaves the page.
(() => {
  "use strict";
  const field = document.getElementById("password");
  const toggle = document.getElementById("password-toggle");
  const progress = document.getElementById("password-progress");
  const advice = document.getElementById("password-advice");
  const account = document.getElementById("username").value.split("@")[0].toLowerCase();

  const ROWS = ["abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm"];
  const RUNS = ROWS.concat(ROWS.map((row) => [...row].reverse().join(""))).join("\n");
  const COMMON = ("password passwort letmein welcome monkey dragon football baseball sunshine princess " +
    "iloveyou superman batman trustno1 master shadow secret admin login hello changeme starwars").split(" ");
  const LEET = { 0: "o", 1: "i", 3: "e", 4: "a", 5: "s", 7: "t", "@": "a", $: "s", "!": "i" };
  const plain = (text) => [...text].map((c) => LEET[c] ?? c).join("");

  // Each finder returns the [start, length] stretches that a guesser tries first.
  const runs = (text) => [...Array(Math.max(text.length - 3, 0)).keys()]
    .filter((i) => RUNS.includes(text.slice(i, i + 4)))
    .map((i) => [i, 4]);
  const repeats = (text) => [...text.matchAll(/(.{1,16}?)\1{2,}|(.{3,16})\2/gsu)]
    .map((match) => [match.index, match[0].length]);
  const words = (text, list) => list.flatMap((word) => {
    const at = plain(text).indexOf(plain(word));
    return at < 0 ? [] : [[at, word.length]];
  });

  const FINDERS = [
    [runs, "Runs of neighbours such as abcd or 4321 are easy to guess."],
    [repeats, "The same characters again and again are easy to guess."],
    [(text) => words(text, COMMON), "It leans on a word that many people use."],
  ];

  function weaknesses(password) {
    const text = password.slice(0, 128).toLowerCase();
    const found = FINDERS.map(([find, told]) => [find(text), told]).filter(([spans]) => spans.length);
    const guessed = new Set();
    for (const [spans] of found)
      for (const [start, length] of spans)
        for (let i = start; i < start + length; i++) guessed.add(i);
    // A pattern is no harm in a passphrase that is long enough without it.
    const told = text.length - guessed.size < field.minLength ? found.map((pair) => pair[1]) : [];
    if (account.length > 3 && text.includes(account)) told.push("It contains the name of your account.");
    return told;
  }

  function judge() {
    const length = [...field.value].length;
    const missing = field.minLength - length;
    if (length === 0) return ["", []];
    if (missing > 0) return ["", [`${missing} more ${missing === 1 ? "character" : "characters"} to go.`]];
    const told = weaknesses(field.value);
    return told.length ? ["weak", told] : ["good", ["Long enough, and no simple pattern seen."]];
  }

  function tell() {
    const [kind, told] = judge();
    advice.dataset.kind = kind;
    advice.replaceChildren(...told.map((text) => {
      const line = document.createElement("p");
      line.textContent = text;
      return line;
    }));
  }

  function show(shown) {
    field.type = shown ? "text" : "password";
    toggle.textContent = shown ? "Hide" : "Show";
    toggle.setAttribute("aria-label", shown ? "Hide password" : "Show password");
  }

  let waiting;
  field.addEventListener("input", () => {
    progress.value = Math.min([...field.value].length, progress.max);
    clearTimeout(waiting);
    waiting = setTimeout(tell, 500); // a screen reader is told once typing pauses
  });
  toggle.addEventListener("click", () => show(field.type === "password"));
  // Browsers offer to keep what a password field sends, not what a text field sends.
  field.form.addEventListener("submit", () => show(false));
  addEventListener("pageshow", () => show(false));
  toggle.hidden = progress.hidden = false;
})();
