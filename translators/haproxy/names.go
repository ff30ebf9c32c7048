package haproxy

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/ir"
)

// The names of sections say what they are, never where they stand in a list.
// Kubernetes' names hold neither an underscore nor a bar, so that joining them by one
// is unique.

// portName is the frontend of a port: "tcp_443". Sections that serve what has come in
// by it have names that begin so.
func portName(port uint16) string { return "tcp_" + strconv.Itoa(int(port)) }

// sectionName is "shop_cart_8080_http1_" and a digest of what is asked of requests to
// that backend.
func sectionName(key ir.BackendKey, asked []string) string {
	return fmt.Sprintf("%s_%s_%d_%s_%s", key.Namespace, key.Service, key.Port, key.Protocol, digest(asked))
}

// answerName is a section without a backend: "answer_" and what it says, or a digest
// of it.
func answerName(what string) string { return "answer_" + what }

// Tag names a rule in what a request is led by, and in the log:
// "HTTPRoute/shop/cart/2".
func Tag(origin ir.Origin) string {
	return fmt.Sprintf("%s/%s/%s/%d", origin.Kind, origin.Namespace, origin.Name, origin.Rule)
}

// serverName is "10.0.0.7_8080", or "fd00--7_8080".
func serverName(at netip.AddrPort) string {
	return strings.ReplaceAll(at.Addr().String(), ":", "-") + "_" + strconv.Itoa(int(at.Port()))
}

var alphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// digest is 16 letters that stand for a text. It is long enough that nobody makes two
// texts of one digest by chance; whoever could do it on purpose would have to be
// stopped by more than 80 bits.
func digest(lines []string) string {
	sum := sha256.New()
	for _, line := range lines {
		_, _ = fmt.Fprintf(sum, "%d:%s\n", len(line), line)
	}
	return alphabet.EncodeToString(sum.Sum(nil)[:15])
}
