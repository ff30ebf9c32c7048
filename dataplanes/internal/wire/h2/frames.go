package h2

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

// step reads one frame and reacts. Errors that concern a stream alone were dealt
// with.
func (l *link) step() *Error {
	l.in.rest()
	h, err := l.framer.ReadFrameHeader()
	if err != nil {
		return l.unread(err)
	}
	l.in.large, l.in.content = l.in.large || h.Length > 1<<10, h.Type == http2.FrameData
	f, err := l.framer.ReadFrameForHeader(h)
	var why *Error
	switch {
	case err == nil:
		why = l.take(f)
	case h.Type == http2.FrameWindowUpdate && errors.As(err, new(http2.StreamError)):
		why = l.zeroIncrement(h.StreamID)
	default:
		why = l.unread(err)
	}
	if why == nil || why.Scope == OfConnection {
		return why
	}
	return l.refuse(h.StreamID, why)
}

// unread says what an error of the Framer or of the connection means.
func (l *link) unread(err error) *Error {
	var why *Error
	if l.in.err != nil {
		if errors.As(l.in.err, &why) {
			return why
		}
		return errGone
	}
	if errors.As(framing(err), &why) {
		return why
	}
	// The Framer has no name for what is too short for its flags.
	return errFraming
}

func (l *link) zeroIncrement(id uint32) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isIdle(id) {
		return errIdleStream
	}
	return errZeroIncrement
}

// refuse resets a stream. It costs patience, as it is the peer's doing.
func (l *link) refuse(id uint32, why *Error) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.streams[id]; s != nil {
		s.reset(why)
	} else {
		l.out.buf = appendReset(l.out.room(), id, why.Code)
		l.out.provoked++
		if l.closed.how(id) == unknown {
			l.closed.bury(id, byUs)
		}
		l.kick()
	}
	return l.pay(costReset)
}

// spend takes the lock for pay.
func (l *link) spend(cost int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pay(cost) == nil
}

// pay counts useless work, and what waits to be written for it.
func (l *link) pay(cost int) *Error {
	if !l.patience.spend(cost) || l.out.provoked > mostProvoked {
		return errFlood
	}
	return nil
}

func (l *link) take(f http2.Frame) *Error {
	switch f := f.(type) {
	case *http2.DataFrame:
		return l.data(f)
	case *http2.HeadersFrame:
		return l.headers(f)
	case *http2.ContinuationFrame:
		return l.continuation(f)
	case *http2.WindowUpdateFrame:
		return l.windowUpdate(f)
	case *http2.SettingsFrame:
		return l.settings(f)
	case *http2.PingFrame:
		return l.ping(f)
	case *http2.RSTStreamFrame:
		return l.rstStream(f)
	case *http2.GoAwayFrame:
		l.role.goAway(f.LastStreamID)
		return nil
	case *http2.PriorityFrame:
		return l.priority(f)
	case *http2.PushPromiseFrame:
		return errPush
	default:
		return l.ignored(costFrame)
	}
}

func (l *link) ignored(cost int) *Error {
	if !l.spend(cost) {
		return errFlood
	}
	return nil
}

// priority is taken and not followed (RFC 9113, section 5.3).
func (l *link) priority(f *http2.PriorityFrame) *Error {
	if f.StreamDep == f.StreamID {
		return errSelf
	}
	return l.ignored(costFrame)
}

func (l *link) data(f *http2.DataFrame) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(f.Length)
	if n > l.recvWindow {
		return errConnFlow
	}
	if l.recvWindow -= n; l.recvWindow == 0 && n > 0 {
		l.shutAt = time.Now()
	}
	if l.eager {
		l.credit(n)
	}
	s := l.streams[f.StreamID]
	if s == nil || s.remoteEnd {
		l.creditUnread(n)
		return l.late(f, s)
	}
	if n > s.recvWindow {
		return errStreamFlow
	}
	s.recvWindow -= n
	return s.data(f)
}

// data takes a frame that the windows allow. Padding counts as read.
func (s *stream) data(f *http2.DataFrame) *Error {
	l := s.link
	if s.calling != nil && !s.calling.headed {
		return errNoHead
	}
	content := f.Data()
	if padding := int64(f.Length) - int64(len(content)); padding > 0 {
		s.unreported += padding
		l.creditUnread(padding)
	}
	if len(content) == 0 && !f.StreamEnded() {
		if err := l.pay(costPing); err != nil {
			return err
		}
	}
	if err := s.receive(content); err != nil {
		l.creditUnread(int64(len(content)))
		return err
	}
	s.cond.Broadcast()
	if f.StreamEnded() {
		return s.endRemote()
	}
	return nil
}

// late judges content on a stream that takes none any more (RFC 9113, section
// 5.1). What was on its way when we ended a stream is not the peer's fault, and
// a backend's connection has the exchanges of others.
func (l *link) late(f *http2.DataFrame, s *stream) *Error {
	if s != nil {
		return errStreamClosed
	}
	if l.isIdle(f.StreamID) {
		return errIdleStream
	}
	switch how := l.closed.how(f.StreamID); {
	case how == byEnd || how == byPeer:
		return errStreamClosed
	case len(f.Data()) == 0:
		return l.pay(costPing)
	default:
		return nil
	}
}

// isIdle reports whether nobody has begun a stream yet.
func (l *link) isIdle(id uint32) bool {
	if id%2 == 1 {
		return id > l.lastID
	}
	return true
}

func (l *link) windowUpdate(f *http2.WindowUpdateFrame) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(f.Increment)
	if f.StreamID == 0 {
		if l.sendWindow += n; l.sendWindow > mostWindow {
			return errConnFlow
		}
		l.wakeWaiting()
		return l.pay(costFrame)
	}
	s := l.streams[f.StreamID]
	if s == nil {
		if l.isIdle(f.StreamID) {
			return errIdleStream
		}
		return l.pay(costFrame)
	}
	if s.sendWindow += n; s.sendWindow > mostWindow {
		return errStreamFlow
	}
	s.cond.Broadcast()
	return l.pay(costFrame)
}

func (l *link) rstStream(f *http2.RSTStreamFrame) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.streams[f.StreamID]
	if s == nil {
		if l.isIdle(f.StreamID) {
			return errIdleStream
		}
		return l.pay(costFrame)
	}
	if s.calling != nil {
		s.calling.resetBy(f.ErrCode)
		return l.pay(costFrame)
	}
	l.forget(s, byPeer)
	s.kill(errReset)
	return l.pay(costReset)
}

func (l *link) ping(f *http2.PingFrame) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.IsAck() {
		l.role.pong(f.Data)
		return l.pay(costFrame)
	}
	l.out.buf = appendPing(l.out.room(), f.Data, http2.FlagPingAck)
	l.out.provoked++
	l.kick()
	return l.pay(costPing)
}

func (l *link) settings(f *http2.SettingsFrame) *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.IsAck() {
		return l.pay(costFrame)
	}
	for i := range f.NumSettings() {
		if err := l.setting(f.Setting(i)); err != nil {
			return err
		}
	}
	l.out.buf = appendSettingsAck(l.out.room())
	l.out.provoked++
	l.role.eased()
	l.wakeWaiting()
	l.kick()
	return l.pay(costSettings + f.NumSettings())
}

func (l *link) setting(s http2.Setting) *Error {
	switch s.ID {
	case http2.SettingHeaderTableSize:
		l.enc.setLimit(s.Val)
	case http2.SettingEnablePush:
		if s.Val > 1 {
			return errSettings
		}
	case http2.SettingMaxConcurrentStreams:
		l.peer.streams = s.Val
	case http2.SettingInitialWindowSize:
		return l.resize(int64(s.Val))
	case http2.SettingMaxFrameSize:
		if s.Val < initialFrame || s.Val > 1<<24-1 {
			return errSettings
		}
		l.peer.frame = int64(min(s.Val, largeSteps))
	case http2.SettingMaxHeaderListSize:
		l.peer.headBytes = s.Val
	case http2.SettingEnableConnectProtocol:
		if s.Val > 1 || l.peer.connect && s.Val == 0 {
			return errSettings
		}
		l.peer.connect = s.Val == 1
	}
	return nil
}

// resize changes the windows of all streams, below zero too (RFC 9113, section
// 6.9.2).
func (l *link) resize(window int64) *Error {
	if window > mostWindow {
		return errWindowSetting
	}
	change := window - l.peer.window
	l.peer.window = window
	for _, s := range l.streams {
		if s.sendWindow += change; s.sendWindow > mostWindow {
			return errWindowSetting
		}
		s.cond.Broadcast()
	}
	return nil
}

// askPing asks the peer whether it lives. The caller holds the lock.
func (l *link) askPing(data [8]byte) {
	l.pinged = true
	l.out.buf = appendPing(l.out.room(), data, 0)
	l.kick()
}

// silent is what becomes of a connection with streams that has been silent.
func (l *link) silent(now time.Time) *Error {
	if now.Sub(l.heard) < l.timeouts.Ping {
		return nil
	}
	if l.pinged && now.Sub(l.heard) >= 2*l.timeouts.Ping {
		return errSilent
	}
	if !l.pinged {
		l.askPing([8]byte{'a', 'l', 'i', 'v', 'e'})
	}
	return nil
}
