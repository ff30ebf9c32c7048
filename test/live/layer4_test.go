package live

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	_ "embed"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/layer4.yaml
var layer4Routes string

// layer4 starts a backend of TLS and one of UDP, and returns the objects that
// lead to them.
func layer4(t *testing.T) string {
	t.Helper()
	secure, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}})
	if err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		secure.Close()
		packets.Close()
	})
	go echoStreams(secure)
	go echoPackets(packets)
	return fmt.Sprintf(layer4Routes, secure.Addr().(*net.TCPAddr).Port, packets.LocalAddr().(*net.UDPAddr).Port)
}

func echoStreams(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(c, c)
		}()
	}
}

// echoPackets answers with whom it saw, so that another session shows.
func echoPackets(conn net.PacketConn) {
	for page := make([]byte, 2048); ; {
		n, from, err := conn.ReadFrom(page)
		if err != nil {
			return
		}
		_, _ = conn.WriteTo(fmt.Appendf(nil, "%s %s", page[:n], from), from)
	}
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"pass.localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// passed sends and receives on one connection of TLS that the proxy passes on.
func passed(stop <-chan struct{}, address string) (int, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{ServerName: "pass.localhost", InsecureSkipVerify: true})
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	messages := 0
	err = beats(stop, func() error {
		sent := fmt.Sprintf("message %08d", messages)
		messages++
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, sent); err != nil {
			return err
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != sent {
			return fmt.Errorf("%q came back as %q: %w", sent, got, err)
		}
		return nil
	})
	return messages, err
}

// session sends datagrams from one socket, and wants one and the same session to
// answer.
func session(stop <-chan struct{}, address string) (int, error) {
	conn, err := net.Dial("udp", address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	messages, seen := 0, ""
	err = beats(stop, func() error {
		messages++
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		sent := fmt.Sprint(messages)
		if _, err := io.WriteString(conn, sent); err != nil {
			return err
		}
		page := make([]byte, 100)
		n, err := conn.Read(page)
		if err != nil {
			return err
		}
		number, from, _ := strings.Cut(string(page[:n]), " ")
		if number != sent {
			return fmt.Errorf("datagram %s came back as %q", sent, page[:n])
		}
		if seen != "" && seen != from {
			return fmt.Errorf("the session became another: %s, then %s", seen, from)
		}
		seen = from
		return nil
	})
	return messages, err
}
