package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/sluice-gateway/sluice/ir"
)

// version names the content of a unit. Private keys count although no encoder
// writes them.
func version(proxy *ir.Proxy) string {
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode(proxy)
	for _, c := range proxy.Certificates {
		_, _ = sum.Write([]byte(string(c.PrivateKey)))
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
