// Line numbers beside a text while it is written. Without this they are those of the text as it was opened.
for (const editor of document.querySelectorAll(".editor")) {
  const [numbers, text] = [editor.querySelector(".numbers"), editor.querySelector("textarea")];
  let lines = text.value.split("\n").length;
  text.addEventListener("input", () => {
    const now = text.value.split("\n").length;
    if (now === lines) return;
    lines = now;
    text.rows = now + 1;
    numbers.textContent = Array.from({ length: now }, (_, line) => line + 1).join("\n");
  });
}
