package envoy

import (
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"strconv"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"

	"github.com/sluice-gateway/sluice/dataplanes/agent"
	"github.com/sluice-gateway/sluice/dataplanes/agent/folder"
	"github.com/sluice-gateway/sluice/dataplanes/envoy/ads"
	"github.com/sluice-gateway/sluice/ir"
)

// process is one Envoy and the server that it takes its resources from.
type process struct {
	files  files
	server *ads.Server
	grpc   *grpc.Server
	child  *agent.Child
	admin  *Admin
	said   *agent.Tail
	// key is what the tokens of sessions are made with.
	key ir.Secret
}

// launch says how an Envoy is started.
type launch struct {
	program string
	// node is what Envoy says that it is; locality where it is.
	node     string
	locality *corev3.Locality
	// threads is how many serve; 0 is one for each processor.
	threads int
	// drain bounds how long connections are served that are to end; 0 is no bound.
	drain time.Duration
	// dir is where the process has its folder.
	dir string
	// allowed is what it may have of the machine.
	allowed allowed
	// lines receives the access log.
	lines io.Writer
}

// startProcess starts an Envoy, which is kept running until stop.
func startProcess(l launch) (*process, error) {
	p := &process{server: ads.NewServer(), said: &agent.Tail{}}
	var err error
	if p.files.Folder, err = folder.Make(folder.Input{In: l.dir, Program: wanted.Name, Socket: "admin"}); err != nil {
		return nil, err
	}
	listener, err := p.prepare(l)
	if err != nil {
		p.files.Remove()
		return nil, err
	}
	p.grpc = grpc.NewServer(grpc.MaxRecvMsgSize(64<<20), grpc.MaxSendMsgSize(math.MaxInt32))
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(p.grpc, p.server)
	go func() { _ = p.grpc.Serve(listener) }()
	p.admin = newAdmin(p.files.admin())
	p.child = agent.Keep(agent.Program{Path: l.program, Args: p.args(l), Env: append(os.Environ(), sessionKeyVariable+"="+p.files.sessionKey()), Said: p.said, Lines: l.lines})
	return p, nil
}

// prepare opens the socket that Envoy comes to, and then writes what it reads.
func (p *process) prepare(l launch) (net.Listener, error) {
	listener, err := net.Listen("unix", p.files.ads())
	if err != nil {
		return nil, fmt.Errorf("the socket for Envoy cannot be opened: %w", err)
	}
	if err := p.files.write(l); err != nil {
		_ = listener.Close()
		return nil, fmt.Errorf("the files of Envoy cannot be written: %w", err)
	}
	return listener, nil
}

// lineDelay is for how long Envoy gathers lines about requests, in milliseconds.
const lineDelay = "20"

// args are Envoy's. It drains at once: who decides that it is to end has waited
// already.
func (p *process) args(l launch) []string {
	const forever = 10 * 365 * 24 * time.Hour
	drain := l.drain
	if drain <= 0 {
		drain = forever
	}
	args := []string{
		"--config-path", p.files.bootstrap(), "--disable-hot-restart", "--log-level", "warning",
		"--drain-strategy", "immediate", "--drain-time-s", strconv.Itoa(max(1, int(drain.Seconds()))),
	}
	args = append(args, "--file-flush-interval-msec", lineDelay)
	if l.threads > 0 {
		args = append(args, "--concurrency", strconv.Itoa(l.threads))
	}
	return args
}

// stop ends Envoy at once, and takes away what it needed.
func (p *process) stop() {
	p.child.Stop()
	p.grpc.Stop()
	p.admin.close()
	p.files.Remove()
}
