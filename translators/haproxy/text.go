package haproxy

// mostRow bounds a row, so that one command of the runtime API (16 KiB) takes it.
const mostRow = 8000

// text makes the rows of a text that others name, and returns its name, which says
// its content. A row holds the name of the one that goes on, or "-", a colon, and a
// piece of the text.
func (h *hosting) text(text string) string {
	name := "-"
	var rows []Row
	for end := len(text); end > 0; end -= mostRow {
		value := name + ":" + text[max(0, end-mostRow):end]
		name = digest([]string{value})
		rows = append(rows, Row{"+" + name, value})
	}
	h.use(name, rows)
	return name
}

// use has the rows of a text stand in the map as long as the hostname is there.
func (h *hosting) use(name string, rows []Row) {
	b := h.config.made.texts[name]
	if b == nil {
		if b = h.config.kept.texts[name]; b == nil {
			b = &Block{Rows: rows}
		}
		h.config.made.texts[name] = b
	}
	h.texts = append(h.texts, text{name, b})
}

// text is one that a hostname's rows name.
type text struct {
	name  string
	block *Block
}
