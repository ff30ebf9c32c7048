package haproxy

import (
	"github.com/sluice-gateway/sluice/ir"
	"github.com/sluice-gateway/sluice/ir/editing"
)

func (w *walk) addRewrite(rewrite *ir.Rewrite) error {
	to, err := editing.ReadRewrite(rewrite)
	if err != nil {
		return err
	}
	if to.Host != "" {
		w.host = to.Host
		w.down("http-request set-header host " + format(to.Host))
	}
	if to.Path != nil {
		w.down(edited(to.Path, "http-request set-path")...)
	}
	return nil
}

// cut is the length of the prefix that the rule's match matched, without a slash at
// its end; there is none where the match was no prefix match.
const (
	cutExpression = "var(" + varTo + "),field(3,|)"
	cut           = "txn.cut"
	prefixMatched = "{ " + cutExpression + " -m found }"
)

// edited writes the edited path by an action that takes a format. It is the path
// that was matched that is edited, so that a backend's rewrite takes the place of
// its rule's. Replacing a prefix works on whole segments, as the table in
// HTTPPathModifier.replacePrefixMatch has it; where the match was no prefix match,
// there is nothing to replace.
func edited(path *editing.Path, action string) []string {
	if path.Full {
		return []string{action + " " + format(path.Value)}
	}
	lines := []string{
		"http-request set-var(" + cut + ") " + cutExpression,
		action + " " + formatted(path.Value, "var("+varPath+"),bytes("+cut+")") + " if " + prefixMatched,
	}
	if path.Value == "" {
		lines = append(lines, action+" / if "+prefixMatched+" !{ var("+varPath+"),bytes("+cut+") -m len gt 0 }")
	}
	return append(lines, action+" "+formatted("", "var("+varPath+")")+" if !"+prefixMatched)
}
