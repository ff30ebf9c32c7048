package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/test/e2e/rig"
)

// once sends one request over a new connection and returns the status.
func once(ctx context.Context, address, host, path string) (int, error) {
	status, _, err := ask(ctx, "http://"+address+path, host, nil)
	return status, err
}

func ask(ctx context.Context, url, host string, config *tls.Config) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	transport := &http.Transport{DisableKeepAlives: true, TLSClientConfig: config}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	r.Host = host
	answer, err := transport.RoundTrip(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, body, err
}

// serves waits until a request for host is answered with 200. What was just made
// known to the nodes' firewalls may be refused for a moment.
func serves(t testing.TB, address, host string) {
	t.Helper()
	rig.Eventually(t, "200 from "+address+" for "+host, func(ctx context.Context) error {
		return wantStatus(ctx, address, host, http.StatusOK)
	})
}

func wantStatus(ctx context.Context, address, host string, want int) error {
	status, err := once(ctx, address, host, "/")
	if err == nil && status != want {
		err = fmt.Errorf("status %d, want %d", status, want)
	}
	return err
}

// servesTLS waits for 200 over TLS, with a certificate for the host.
func servesTLS(t testing.TB, address, host string) {
	t.Helper()
	rig.Eventually(t, "200 over TLS from "+address+" for "+host, func(ctx context.Context) error {
		status, _, err := ask(ctx, "https://"+address+"/", host, trusting(host))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("status %d", status)
		}
		return err
	})
}

// trusting takes any certificate that names the host: these tests make their own.
func trusting(host string) *tls.Config {
	return &tls.Config{ServerName: host, InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		return s.PeerCertificates[0].VerifyHostname(host)
	}}
}

// echoesTCP waits until a TCP echo backend has said who it is through a proxy.
func echoesTCP(t testing.TB, address string) {
	t.Helper()
	rig.Eventually(t, "an echo over TCP from "+address, func(ctx context.Context) error {
		return exchange(ctx, "tcp", address, func(conn net.Conn) error {
			reader := bufio.NewReader(conn)
			if _, err := reader.ReadString('\n'); err != nil {
				return err
			}
			if _, err := io.WriteString(conn, "TEST\n"); err != nil {
				return err
			}
			line, err := reader.ReadBytes('\n')
			return errors.Join(err, named(line))
		})
	})
}

// echoesUDP waits until a UDP echo backend has said who it is.
func echoesUDP(t testing.TB, address string) {
	t.Helper()
	rig.Eventually(t, "an echo over UDP from "+address, func(ctx context.Context) error {
		return exchange(ctx, "udp", address, func(conn net.Conn) error {
			if _, err := io.WriteString(conn, "hello"); err != nil {
				return err
			}
			page := make([]byte, 4096)
			n, err := conn.Read(page)
			return errors.Join(err, named(page[:n]))
		})
	})
}

func exchange(ctx context.Context, network, address string, do func(net.Conn) error) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	return do(conn)
}

// named is nil where an answer has the name of a pod.
func named(answer []byte) error {
	var who struct{ Pod string }
	if err := json.Unmarshal(answer, &who); err != nil {
		return fmt.Errorf("%q: %w", answer, err)
	}
	if who.Pod == "" {
		return fmt.Errorf("%q names no pod", answer)
	}
	return nil
}
