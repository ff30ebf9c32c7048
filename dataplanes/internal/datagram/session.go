package datagram

import (
	"errors"
	"os"
	"time"

	"github.com/sluice-gateway/sluice/dataplanes/internal/rawio"
)

func (s *session) touch() { s.active.Store(time.Now().UnixNano()) }

// send sends one datagram to the endpoint. An error may be of an earlier one: the
// endpoint's system answered that nobody is there.
func (s *session) send(datagram []byte) error {
	if _, err := s.conn.Write(datagram); err != nil {
		return err
	}
	s.touch()
	s.toBackend.Add(int64(len(datagram)))
	return nil
}

// end ends the session, once; its client may have another at once.
func (s *session) end(why End) {
	if !s.ended.CompareAndSwap(nil, &why) {
		return
	}
	s.server.mu.Lock()
	if s.server.sessions[s.client] == s {
		delete(s.server.sessions, s.client)
	}
	s.server.mu.Unlock()
	s.conn.Close()
}

// run sends replies back until the session ends.
func (s *session) run() {
	reader := rawio.NewReader(s.conn)
	_ = s.conn.SetReadDeadline(time.Now().Add(s.target.Idle))
	for s.reply(reader) {
	}
	s.target.Done(Result{ToBackend: s.toBackend.Load(), ToClient: s.toClient.Load(), End: *s.ended.Load()})
}

// reply waits for one reply. The deadline is set only when one has passed: most
// replies find it far away.
func (s *session) reply(reader *rawio.Reader) (more bool) {
	buffer, n, err := reader.Read(true)
	switch {
	case err == nil:
		s.toClientSide((*buffer)[:n])
		rawio.Give(buffer)
		return true
	case !errors.Is(err, os.ErrDeadlineExceeded):
		s.end(Refused)
		return false
	}
	left := s.target.Idle - time.Since(time.Unix(0, s.active.Load()))
	if left <= 0 {
		s.end(Idle)
		return false
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(left))
	return true
}

func (s *session) toClientSide(datagram []byte) {
	if err := s.reachClient(datagram); err != nil {
		s.server.handler.Dropped("send")
		return
	}
	s.touch()
	s.toClient.Add(int64(len(datagram)))
}

func (s *session) reachClient(datagram []byte) error {
	if len(s.from) == 0 {
		_, err := s.server.conn.WriteToUDPAddrPort(datagram, s.client)
		return err
	}
	_, _, err := s.server.conn.WriteMsgUDPAddrPort(datagram, s.from, s.client)
	return err
}
