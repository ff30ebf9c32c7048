package haproxy

import (
	"context"
	"errors"
	"regexp"
	"strings"
)

// newVersion reads "[6]: New version created: 3".
var newVersion = regexp.MustCompile(`New version created: (\d+)`)

// replace gives a map other rows, all of them at once: they are added to a version
// that nobody reads yet.
func (s *Socket) replace(ctx context.Context, name, rows string) error {
	answer, err := s.Ask(ctx, "prepare map "+name)
	if err != nil {
		return err
	}
	version := newVersion.FindStringSubmatch(answer)
	if version == nil {
		return errors.New("HAProxy answers: " + clean(answer))
	}
	at := "@" + version[1] + " " + name
	var add []command
	for rows != "" {
		some := block(rows)
		add = append(add, command{line: "add map " + at, payload: some})
		rows = rows[len(some):]
	}
	if err := s.Do(ctx, add); err != nil {
		_ = s.Do(ctx, []command{{line: "clear map " + at}})
		return err
	}
	return s.Do(ctx, []command{{line: "commit map " + at}})
}

// block is the first rows of many, as many as one command takes.
func block(rows string) string {
	if len(rows) <= longestLine {
		return rows
	}
	end := strings.LastIndexByte(rows[:longestLine], '\n')
	if end < 0 {
		end = strings.IndexByte(rows, '\n')
	}
	return rows[:end+1]
}
