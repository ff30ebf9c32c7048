package haproxy

// mostRow bounds a row, so that one command of the runtime API (16 KiB) takes it.
const mostRow = 8000

// name makes the rows of a text that others name, and returns its name, which says
// its content. A row holds the name of the one that goes on, or "-", a colon, and a
// piece of the text.
func (w *question) name(text string) string {
	name := "-"
	var rows []Row
	for end := len(text); end > 0; end -= mostRow {
		value := name + ":" + text[max(0, end-mostRow):end]
		name = digest([]string{value})
		rows = append(rows, Row{"+" + name, value})
	}
	w.use(name, rows)
	return name
}

// use has the rows of a text stand in the map as long as what names it does.
func (w *question) use(name string, rows []Row) {
	made := w.config.made.texts
	if made[name] == nil {
		if made[name] = w.config.kept.texts[name]; made[name] == nil {
			made[name] = &Block{Rows: rows}
		}
	}
	w.texts = append(w.texts, text{name, made[name]})
}

// text is one that rows name.
type text struct {
	name  string
	block *Block
}
