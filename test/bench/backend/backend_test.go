package backend

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func listen(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() { _ = serve(l) }()
	return "http://" + l.Addr().String()
}

func ask(t *testing.T, client *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d, body %v", answer.StatusCode, err)
	}
	return answer, string(body)
}

func request(t *testing.T, url, body string) *http.Request {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHTTP1(t *testing.T) {
	url := listen(t, HTTP1)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	for _, upload := range []int{0, 1, 70_000, Big} {
		if _, body := ask(t, client, request(t, url+"/x", strings.Repeat("a", upload))); body != Small {
			t.Errorf("after %d bytes: %q", upload, body)
		}
	}
	if _, body := ask(t, client, request(t, url+"/x/1m", "")); len(body) != Big {
		t.Errorf("/1m has %d bytes", len(body))
	}
	if _, body := ask(t, client, request(t, url+"/head", "")); !strings.HasPrefix(body, "GET /head HTTP/1.1\r\nHost: ") {
		t.Errorf("/head answers %q", body)
	}
}

func TestGRPC(t *testing.T) {
	url := listen(t, GRPC)
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: protocols}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 5000 {
		r := request(t, url+"/a.B/C", string(message)).WithContext(ctx)
		answer, body := ask(t, &http.Client{Transport: transport}, r)
		if body != string(message) || answer.Trailer.Get("grpc-status") != "0" {
			t.Fatalf("body %q, trailers %v", body, answer.Trailer)
		}
	}
}
