package reverseproxy

import (
	"bufio"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Options are what to serve, on loopback.
type Options struct {
	Plain, TLS, Routes, GRPC, Admin int
	// Backend and GRPCBackend are host:port.
	Backend, GRPCBackend string
	// Count is the number of routes on the port Routes: /r0000/, /r0001/ ...
	Count     int
	Cert, Key string
}

// Run serves until a server fails. The access log goes to standard output.
func Run(o Options) error {
	pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
	if err != nil {
		return err
	}
	seen := newSeen()
	app, call := seen.wrap(proxyTo(o.Backend, transport(false))), seen.wrap(proxyTo(o.GRPCBackend, transport(true)))
	routes := http.NewServeMux()
	for i := range o.Count {
		routes.Handle(fmt.Sprintf("/r%04d/", i), app)
	}
	failed := make(chan error, 5)
	for port, handler := range map[int]http.Handler{
		o.Plain: app, o.Routes: routes, o.GRPC: call, o.Admin: promhttp.Handler(),
	} {
		go func() { failed <- server(handler, nil).Serve(listen(port)) }()
	}
	secure := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	go func() { failed <- server(app, secure).ServeTLS(listen(o.TLS), "", "") }()
	return <-failed
}

func listen(port int) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		log.Fatal(err)
	}
	return l
}

func server(h http.Handler, secure *tls.Config) *http.Server {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler: h, Protocols: p, TLSConfig: secure, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 10 * time.Minute,
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

func transport(h2 bool) *http.Transport {
	p := new(http.Protocols)
	p.SetHTTP1(!h2)
	p.SetUnencryptedHTTP2(h2)
	return &http.Transport{
		Protocols: p, MaxIdleConns: 0, MaxIdleConnsPerHost: 1024, IdleConnTimeout: 10 * time.Minute,
		DisableCompression: true, WriteBufferSize: 32 << 10, ReadBufferSize: 32 << 10,
	}
}

func proxyTo(backend string, t *http.Transport) http.Handler {
	return &httputil.ReverseProxy{
		Transport: t, BufferPool: &buffers{}, FlushInterval: 0, ErrorLog: log.New(io.Discard, "", 0),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", backend, r.In.Host
			r.SetXForwarded()
			_, port, _ := net.SplitHostPort(r.In.Host)
			r.Out.Header.Set("X-Forwarded-Port", port)
			r.Out.Header.Set("X-Request-Id", rand.Text())
		},
	}
}

type buffers struct{ pool sync.Pool }

var _ httputil.BufferPool = (*buffers)(nil)

func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }

// seen counts and logs requests. Its log is flushed once a second.
type seen struct {
	requests *prometheus.CounterVec
	duration prometheus.Histogram
	mu       sync.Mutex
	log      *bufio.Writer
}

func newSeen() *seen {
	s := &seen{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "Requests."}, []string{"class"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "request_duration_seconds", Help: "Durations."}),
		log:      bufio.NewWriterSize(os.Stdout, 64<<10),
	}
	prometheus.MustRegister(s.requests, s.duration)
	go func() {
		for range time.Tick(time.Second) {
			s.mu.Lock()
			_ = s.log.Flush()
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *seen) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from, out := time.Now(), &answer{ResponseWriter: w}
		next.ServeHTTP(out, r)
		took := time.Since(from)
		s.requests.WithLabelValues(strconv.Itoa(out.status/100) + "xx").Inc()
		s.duration.Observe(took.Seconds())
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(s.log, "%s %s %q %s %d %d %s\n", from.UTC().Format(time.RFC3339Nano), r.RemoteAddr, r.URL.Path, r.Proto, out.status, out.bytes, took)
	})
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status, bytes int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.bytes += n
	return n, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
