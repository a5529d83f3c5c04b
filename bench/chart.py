"""Bar charts as SVG."""

from xml.sax.saxutils import escape

WIDTH, LABEL, BAR, GAP, TEXT = 760, 150, 20, 6, 190
COLOURS = ["#2b6cb0", "#dd8833", "#5a9e5a", "#8a6fb0", "#c05555", "#777777"]


def text(x, y, words, size=13, anchor="start", weight="normal"):
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def bars(title, note, groups):
    """Horizontal bars. `groups` is [(name, [(label, value, what is written at the bar)])]; each
    group has its own scale, that of its greatest value. A label has one colour throughout."""
    labels = list(dict.fromkeys(label for _, rows in groups for label, _, _ in rows))
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    parts, y = [text(16, 28, title, 17, weight="bold"), text(16, 48, note, 12)], 62
    room = WIDTH - LABEL - TEXT
    for name, rows in groups:
        parts.append(text(16, y + 18, name, 14, weight="bold"))
        y += 28
        most = max(value for _, value, _ in rows)
        for label, value, words in rows:
            length = room * value / most
            parts.append(text(LABEL - 8, y + 15, label, anchor="end"))
            parts.append(
                f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                f'fill="{colour[label]}"/>'
            )
            parts.append(text(LABEL + length + 8, y + 15, words))
            y += BAR + GAP
        y += 8
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 8}" '
    head += 'font-family="sans-serif" fill="#222222">'
    paper = f'<rect width="{WIDTH}" height="{y + 8}" fill="#ffffff"/>'
    return "\n".join([head, paper, *parts, "</svg>"]) + "\n"


def write(path, svg):
    with open(path, "w") as f:
        f.write(svg)
