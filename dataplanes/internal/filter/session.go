package filter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/ir/editing"

	"github.com/sluice-gateway/sluice/dataplanes/internal/exchange"
	"github.com/sluice-gateway/sluice/ir"
)

// Sessions makes and reads the tokens of session persistence (GEP-1619). A
// token names an endpoint by a keyed hash, so that it tells nobody an address,
// and is signed, so that nobody can make one up. It holds
//
//	begin (8 bytes, seconds) | endpoint (16) | signature (16)
//
// in base64url. All proxies of one unit must have the same key, or a client
// loses its session when it meets another one.
type Sessions struct{ key []byte }

// NewSessions returns the sessions of a key, which should be 32 random bytes.
func NewSessions(key []byte) *Sessions { return &Sessions{key: append([]byte(nil), key...)} }

// EndpointID is an endpoint as tokens name it.
type EndpointID [16]byte

// Grant is what a new session begins with.
type Grant struct {
	Endpoint EndpointID
	Now      time.Time
	// Secure marks the cookie for TLS alone; set it where the client uses TLS.
	Secure bool
}

const (
	beginSize = 8
	idSize    = len(EndpointID{})
	signSize  = 16
	tokenSize = beginSize + idSize + signSize
)

var tokenText = base64.RawURLEncoding.EncodedLen(tokenSize)

// ID names an endpoint of a backend. It costs a hash: compute it when endpoints
// change, not for each request.
func (s *Sessions) ID(of ir.EndpointsKey, endpoint ir.Endpoint) EndpointID {
	hash := hmac.New(sha256.New, s.key)
	for _, part := range []string{"endpoint", of.Namespace, of.Service, strconv.Itoa(int(of.Port)), endpoint.Address, strconv.Itoa(int(endpoint.Port))} {
		// Lengths keep "a"+"bc" and "ab"+"c" apart.
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		hash.Write(size[:])
		hash.Write([]byte(part))
	}
	return EndpointID(hash.Sum(nil)[:idSize])
}

// Read returns the endpoint of a request's session. It is false where the
// request has no token, or one that is forged, from the future, or older than
// the absolute time-out. A token of ours is taken off the request: it is no
// business of the backend's.
func (s *Sessions) Read(session *ir.Session, r *exchange.Request, now time.Time) (EndpointID, bool) {
	var text string
	if session.Header {
		text, _ = r.Header.Get(session.Name)
	} else {
		text = cookie(r.Header, session.Name, tokenText)
	}
	begin, id, ok := s.open(text)
	if !ok {
		return EndpointID{}, false
	}
	if session.Header {
		r.Vouch(session.Name)
		r.Header.Del(session.Name)
	} else {
		dropCookie(&r.Header, session.Name, text)
	}
	age := now.Sub(begin)
	limit := time.Duration(session.AbsoluteTimeout)
	if age < -clockSkew || limit > 0 && age >= limit {
		return EndpointID{}, false
	}
	return id, true
}

// clockSkew is how far ahead the clock of the proxy that made a token may be.
const clockSkew = time.Minute

// Write begins a session: the token travels in a cookie, or in the header that
// the client is to send back.
func (s *Sessions) Write(session *ir.Session, grant Grant, r *exchange.Response) {
	token := s.seal(grant)
	if session.Header {
		r.Header.Set(session.Name, token)
		return
	}
	var b strings.Builder
	b.WriteString(session.Name + "=" + token)
	if session.Path != "" && editing.ValidValue(session.Path) && !strings.Contains(session.Path, ";") {
		b.WriteString("; Path=" + session.Path)
	}
	if limit := time.Duration(session.AbsoluteTimeout); session.Permanent && limit > 0 {
		b.WriteString("; Max-Age=" + strconv.FormatInt(int64((limit+time.Second-1)/time.Second), 10))
	}
	if grant.Secure {
		b.WriteString("; Secure")
	}
	b.WriteString("; HttpOnly; SameSite=Lax")
	r.Header.Add("Set-Cookie", b.String())
}

// seal makes a token.
func (s *Sessions) seal(grant Grant) string {
	token := make([]byte, beginSize, tokenSize)
	binary.BigEndian.PutUint64(token, uint64(grant.Now.Unix()))
	token = append(token, grant.Endpoint[:]...)
	token = append(token, s.sign(token)...)
	return base64.RawURLEncoding.EncodeToString(token)
}

// open checks a token's signature and returns what it holds.
func (s *Sessions) open(text string) (begin time.Time, id EndpointID, ok bool) {
	if len(text) != tokenText {
		return time.Time{}, id, false
	}
	token, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(token) != tokenSize {
		return time.Time{}, id, false
	}
	signed, signature := token[:beginSize+idSize], token[beginSize+idSize:]
	if !hmac.Equal(s.sign(signed), signature) {
		return time.Time{}, id, false
	}
	return time.Unix(int64(binary.BigEndian.Uint64(signed)), 0), EndpointID(signed[beginSize:]), true
}

func (s *Sessions) sign(text []byte) []byte {
	hash := hmac.New(sha256.New, s.key)
	hash.Write([]byte("token"))
	hash.Write(text)
	return hash.Sum(nil)[:signSize]
}

// cookie returns the first value of a cookie that has a token's length: a
// client may send another cookie of that name, from another path.
func cookie(h exchange.Header, name string, length int) string {
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Cookie") {
			continue
		}
		for pair := range strings.SplitSeq(f.Value, ";") {
			if value, ok := pairValue(pair, name); ok && len(value) == length {
				return value
			}
		}
	}
	return ""
}

func pairValue(pair, name string) (string, bool) {
	key, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
	return strings.Trim(value, `"`), ok && key == name
}

// dropCookie takes one pair out of the request's cookies.
func dropCookie(h *exchange.Header, name, value string) {
	kept := (*h)[:0]
	for _, f := range *h {
		if strings.EqualFold(f.Name, "Cookie") {
			var pairs []string
			for pair := range strings.SplitSeq(f.Value, ";") {
				if v, ok := pairValue(pair, name); !ok || v != value {
					pairs = append(pairs, strings.TrimSpace(pair))
				}
			}
			if f.Value = strings.Join(pairs, "; "); f.Value == "" {
				continue
			}
		}
		kept = append(kept, f)
	}
	clear((*h)[len(kept):])
	*h = kept
}
