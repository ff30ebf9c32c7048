package load

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestSlowConnectionsStayAndComeBack has a server that counts who comes, and
// closes the first ones.
func TestSlowConnectionsStayAndComeBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	const n = 9
	came := make(chan string, 100)
	go func() {
		for i := 0; ; i++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go receive(c, i < kinds, came)
		}
	}()
	s, err := Drag(t.Context(), ln.Addr().String(), "/large", n)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for range n + 3 {
		select {
		case kind := <-came:
			kinds[kind]++
		case <-time.After(20 * time.Second):
			t.Fatalf("only these came: %v", kinds)
		}
	}
	if kinds["header"] != 4 || kinds["POST"] != 4 || kinds["GET"] != 4 {
		t.Errorf("these came: %v; want 3 of each kind, and the 3 that were closed again", kinds)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// receive tells what a connection sends, once its client has come to a stop.
func receive(c net.Conn, closes bool, came chan<- string) {
	defer c.Close()
	r := bufio.NewReader(c)
	for range 2 {
		if _, err := r.ReadString('\n'); err != nil {
			return
		}
	}
	third, _ := r.Peek(2)
	came <- map[string]string{"X-": "header", "Co": http.MethodPost, "\r\n": http.MethodGet}[string(third)]
	if !closes {
		_, _ = io.Copy(io.Discard, r)
	}
}
