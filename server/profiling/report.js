"use strict";
for (const table of document.querySelectorAll("table")) {
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, at) => {
    const value = row.cells[at].dataset.value;
    return value === "" ? null : headers[at].classList.contains("text") ? value : Number(value);
  };
  headers.forEach((header, at) => {
    header.firstElementChild.addEventListener("click", () => {
      const ascending = header.getAttribute("aria-sort") !== "ascending";
      const sign = ascending ? 1 : -1;
      const rows = [...body.rows].sort((a, b) => {
        const x = key(a, at), y = key(b, at);
        if (x === null || y === null) return (x === null) - (y === null);
        return sign * (x < y ? -1 : x > y ? 1 : 0);
      });
      headers.forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      body.append(...rows);
    });
  });
}
