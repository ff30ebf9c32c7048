package peer

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// largest is the longest message that is read.
const largest = 8 << 20

// serveGRPC answers each message with X-Parity-Replies messages (one unless
// told otherwise) that say what was got, and ends with X-Parity-Grpc-Status. A
// status other than 0 ends the call without any message. It works on frames, so
// that it serves every service and method there is.
func serveGRPC(c Config, w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/grpc")
	announce(w, r)
	status, replies := r.Header.Get("X-Parity-Grpc-Status"), 1
	if n, err := strconv.Atoi(r.Header.Get("X-Parity-Replies")); err == nil {
		replies = n
	}
	if failed(c, w, r) || !wait(r) {
		return
	}
	if status != "" && status != "0" {
		c.Record.Add(see(c, r, nil))
		refuseGRPC(w, r, status)
		return
	}
	controller := http.NewResponseController(w)
	controller.Flush()
	for {
		message, err := readFrame(r.Body)
		if err == io.EOF {
			break
		}
		if err != nil {
			return
		}
		seen := see(c, r, message)
		c.Record.Add(seen)
		answer, _ := json.Marshal(seen)
		for range replies {
			if writeFrame(w, answer) != nil {
				return
			}
		}
		controller.Flush()
	}
	endGRPC(w, r, "0")
}

// refuseGRPC ends a call with its status in the header, without any message
// ("Trailers-Only" in the protocol of gRPC over HTTP/2).
func refuseGRPC(w http.ResponseWriter, r *http.Request, status string) {
	w.Header().Set("Grpc-Status", status)
	w.Header().Set("Grpc-Message", r.Header.Get("X-Parity-Grpc-Message"))
}

func endGRPC(w http.ResponseWriter, r *http.Request, status string) {
	header := w.Header()
	header.Set(http.TrailerPrefix+"Grpc-Status", status)
	header.Set(http.TrailerPrefix+"Grpc-Message", r.Header.Get("X-Parity-Grpc-Message"))
	for _, field := range r.Header.Values("X-Parity-Trailer") {
		name, value, _ := strings.Cut(field, ": ")
		header.Set(name, value)
	}
}

func readFrame(from io.Reader) ([]byte, error) {
	var prefix [5]byte
	if _, err := io.ReadFull(from, prefix[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(prefix[1:])
	if size > largest {
		return nil, io.ErrUnexpectedEOF
	}
	message := make([]byte, size)
	_, err := io.ReadFull(from, message)
	return message, err
}

func writeFrame(to io.Writer, message []byte) error {
	frame := make([]byte, 5, 5+len(message))
	binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
	_, err := to.Write(append(frame, message...))
	return err
}
