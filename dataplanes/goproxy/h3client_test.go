package goproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/sluice-gateway/sluice/ir"
)

// newH3Rig is a rig that serves HTTP/3 at its HTTPS port.
func newH3Rig(t *testing.T) *tlsRig {
	t.Helper()
	r := newTLSRig(t)
	r.unit.Proxy.Settings.HTTP3 = ir.HTTP3{Enabled: true, AltSvcMaxAge: ir.Duration(time.Hour)}
	return r
}

// transport3 speaks HTTP/3 with the rig, whatever the URL's address.
func (r *tlsRig) transport3(sni string, certs ...tls.Certificate) *http3.Transport {
	transport := &http3.Transport{
		DisableCompression: true,
		TLSClientConfig:    &tls.Config{ServerName: sni, RootCAs: r.ca.pool(), Certificates: certs, MinVersion: tls.VersionTLS13},
		Dial: func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			tlsConfig.ServerName = sni
			return quic.DialAddr(ctx, r.addr(), tlsConfig, config)
		},
	}
	r.t.Cleanup(func() { transport.Close() })
	return transport
}

func (r *tlsRig) client3(sni string, certs ...tls.Certificate) *http.Client {
	return &http.Client{Transport: r.transport3(sni, certs...), Timeout: 2 * patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
}

// dialQUIC makes a connection for raw requests.
func (r *tlsRig) dialQUIC(sni string) (*quic.Conn, error) { return r.dialQUICWithin(sni, patience) }

func (r *tlsRig) dialQUICWithin(sni string, silence time.Duration) (*quic.Conn, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	config := &tls.Config{ServerName: sni, RootCAs: r.ca.pool(), NextProtos: []string{"h3"}, MinVersion: tls.VersionTLS13}
	c, err := quic.DialAddr(ctx, r.addr(), config, &quic.Config{HandshakeIdleTimeout: silence})
	if err != nil {
		return nil, err
	}
	r.t.Cleanup(func() { _ = c.CloseWithError(0x100, "") })
	control, err := c.OpenUniStream()
	if err != nil {
		return nil, err
	}
	// A control stream begins with SETTINGS.
	_, err = control.Write([]byte{0x00, 0x04, 0x00})
	return c, err
}

func frame(kind uint64, payload []byte) []byte {
	b := quicvarint.Append(nil, kind)
	b = quicvarint.Append(b, uint64(len(payload)))
	return append(b, payload...)
}

// fieldSection is what HEADERS hold: names and values by turns.
func fieldSection(t testing.TB, fields ...string) []byte {
	t.Helper()
	var block bytes.Buffer
	e := qpack.NewEncoder(&block)
	for i := 0; i < len(fields); i += 2 {
		if err := e.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			t.Fatal(err)
		}
	}
	return block.Bytes()
}

// rawAnswer is a status, or the code that the stream was reset with.
type rawAnswer struct {
	status int
	fields map[string]string
	reset  uint64
	body   string
}

// ask3 sends a request as it is, and reads what comes back.
func ask3(t testing.TB, c *quic.Conn, request []byte) rawAnswer {
	t.Helper()
	s, err := c.OpenStreamSync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = s.SetDeadline(time.Now().Add(patience))
	_, _ = s.Write(request)
	s.Close()
	return readAnswer(t, s)
}

func readAnswer(t testing.TB, s io.Reader) rawAnswer {
	t.Helper()
	var a rawAnswer
	all, err := io.ReadAll(s)
	var reset *quic.StreamError
	if errors.As(err, &reset) {
		a.reset = uint64(reset.ErrorCode)
	} else if err != nil {
		t.Fatal(err)
	}
	for r := bytes.NewReader(all); r.Len() > 0; {
		kind, kindErr := quicvarint.Read(r)
		length, lengthErr := quicvarint.Read(r)
		if kindErr != nil || lengthErr != nil || length > uint64(r.Len()) {
			break
		}
		payload := make([]byte, length)
		_, _ = io.ReadFull(r, payload)
		a.take(t, kind, payload)
	}
	return a
}

func (a *rawAnswer) take(t testing.TB, kind uint64, payload []byte) {
	t.Helper()
	switch kind {
	case 0:
		a.body += string(payload)
	case 1:
		next := qpack.NewDecoder().Decode(payload)
		trailer := a.status >= 200
		if !trailer {
			a.fields = map[string]string{}
		}
		for {
			f, err := next()
			if err != nil {
				break
			}
			a.fields[f.Name] = f.Value
		}
		if trailer {
			return
		}
		var err error
		if a.status, err = strconv.Atoi(a.fields[":status"]); err != nil {
			t.Errorf(":status %q", a.fields[":status"])
		}
	}
}

func errorAs[T error](err error) (T, bool) {
	var as T
	ok := errors.As(err, &as)
	return as, ok
}
