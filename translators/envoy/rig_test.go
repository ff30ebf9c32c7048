package envoy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	chainv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/filter_chain/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	envoytest "github.com/sluice-gateway/sluice/test/envoy"
)

// rig is an Envoy that reads route configurations from files, a listener each.
type rig struct {
	t     testing.TB
	dir   string
	log   *bytes.Buffer
	dead  chan struct{}
	doors map[string]*door
	pid   int
}

// door is where one route configuration is in force.
type door struct {
	rig     *rig
	name    string
	version int
	conn    net.Conn
	reader  *bufio.Reader
	// last is the header of the last answer.
	last http.Header
}

// startRig starts Envoy with a listener for each name.
func startRig(t testing.TB, names ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), log: &bytes.Buffer{}, dead: make(chan struct{}), doors: map[string]*door{}}
	boot := &bootstrapv3.Bootstrap{
		Node:            &corev3.Node{Id: "test", Cluster: "test"},
		StaticResources: &bootstrapv3.Bootstrap_StaticResources{},
		LayeredRuntime:  Runtime(),
	}
	for i, name := range names {
		r.doors[name] = &door{rig: r, name: fmt.Sprintf("d%d", i)}
		r.write(r.doors[name], &routev3.RouteConfiguration{Name: r.doors[name].name})
		boot.StaticResources.Listeners = append(boot.StaticResources.Listeners, r.listener(r.doors[name].name))
	}
	text, err := protojson.Marshal(boot)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "boot.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.run()
	return r
}

func (r *rig) run() {
	cmd := exec.Command(envoytest.Program(r.t), "-c", filepath.Join(r.dir, "boot.json"), "--disable-hot-restart", "--concurrency", "1", "-l", "warn")
	cmd.Stdout, cmd.Stderr = r.log, r.log
	cmd.Env = append(os.Environ(), "SLUICE_SESSION_KEY_FILE="+filepath.Join(r.dir, "key"))
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait()
		close(r.dead)
	}()
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-r.dead
	})
}

func (r *rig) listener(name string) *listenerv3.Listener {
	return &listenerv3.Listener{
		Name:    name,
		Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: filepath.Join(r.dir, name+".sock")}}},
		FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
			Name: "envoy.filters.network.http_connection_manager",
			ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: typed(&hcmv3.HttpConnectionManager{
				StatPrefix:                    "test",
				EarlyHeaderMutationExtensions: []*corev3.TypedExtensionConfig{beforeRouting(nil)},
				RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
					RouteConfigName: name,
					ConfigSource: &corev3.ConfigSource{
						ResourceApiVersion: corev3.ApiVersion_V3,
						ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{
							Path: filepath.Join(r.dir, name+".pb"),
						}},
					},
				}},
				HttpFilters: []*hcmv3.HttpFilter{optional(ruleFilter, &chainv3.FilterChainConfig{}), {
					Name:       "envoy.filters.http.router",
					ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: typed(&routerv3.Router{SuppressEnvoyHeaders: true})},
				}},
			})},
		}}}},
	}
}

// busy is how long Envoy has had a processor.
func (r *rig) busy() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", r.pid))
	if err != nil {
		r.t.Skip(err)
	}
	// User and system time are the 14th and 15th words, in hundredths of a second.
	words := strings.Fields(string(text))
	user, _ := strconv.Atoi(words[13])
	system, _ := strconv.Atoi(words[14])
	return time.Duration(user+system) * 10 * time.Millisecond
}

// versionHost is a host that answers with the version in force.
const versionHost = "version.invalid"

// write puts a configuration where Envoy sees it.
func (r *rig) write(d *door, config *routev3.RouteConfiguration) {
	d.version++
	config = proto.CloneOf(config)
	config.Name = d.name
	config.VirtualHosts = append(config.VirtualHosts, &routev3.VirtualHost{
		Name: versionHost, Domains: []string{versionHost},
		Routes: []*routev3.Route{{Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}}, Action: says(fmt.Sprint(d.version))}},
	})
	body, err := proto.Marshal(&discoveryv3.DiscoveryResponse{
		VersionInfo: fmt.Sprint(d.version), Resources: []*anypb.Any{typed(config)},
		TypeUrl: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	at := filepath.Join(r.dir, d.name+".pb")
	if err := errors.Join(os.WriteFile(at+".new", body, 0o600), os.Rename(at+".new", at)); err != nil {
		r.t.Fatal(err)
	}
}

// says answers with a text.
func says(text string) *routev3.Route_DirectResponse {
	return &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
		Status: 200, Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}},
	}}
}

// serve puts a configuration in force.
func (d *door) serve(config *routev3.RouteConfiguration) {
	d.rig.t.Helper()
	d.rig.write(d, config)
	d.await()
}

func (d *door) await() {
	d.rig.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case <-d.rig.dead:
			d.rig.t.Fatalf("Envoy has ended: %s", d.rig.log)
		case <-time.After(time.Millisecond):
		}
		if _, body, err := d.try("GET / HTTP/1.1\r\nHost: " + versionHost + "\r\n\r\n"); err == nil && body == fmt.Sprint(d.version) {
			return
		}
	}
	d.rig.t.Fatalf("version %d of %s is not in force: %s", d.version, d.name, d.rig.log)
}

// ask sends a request as it is, and returns what came back.
func (d *door) ask(request string) (status int, body string) {
	d.rig.t.Helper()
	for range 2 {
		if status, body, err := d.try(request); err == nil {
			return status, body
		}
	}
	d.rig.t.Fatalf("no answer to %q: %s", request, d.rig.log)
	return 0, ""
}

func (d *door) try(request string) (status int, body string, err error) {
	if d.conn == nil {
		if d.conn, err = net.Dial("unix", filepath.Join(d.rig.dir, d.name+".sock")); err != nil {
			return 0, "", err
		}
		d.reader = bufio.NewReader(d.conn)
	}
	status, body, err = d.exchange(request)
	if err != nil {
		_ = d.conn.Close()
		d.conn = nil
	}
	return status, body, err
}

func (d *door) exchange(request string) (status int, body string, err error) {
	if _, err := io.WriteString(d.conn, request); err != nil {
		return 0, "", err
	}
	response, err := http.ReadResponse(d.reader, nil)
	if err != nil {
		return 0, "", err
	}
	text, err := io.ReadAll(response.Body)
	d.last = response.Header
	if strings.EqualFold(response.Header.Get("Connection"), "close") {
		_ = d.conn.Close()
		d.conn = nil
	}
	return response.StatusCode, string(text), err
}
