package record

import (
	"regexp"
	"strconv"
	"strings"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	envoy "github.com/sluice-gateway/sluice/translators/envoy"
)

// series is one number by its metric's name and labels.
type series struct{ metric, a, b string }

// rule says what one of Envoy's numbers is here. Its expression's group is a door,
// a port or a backend; the label is its reason or direction.
type rule struct {
	name   *regexp.Regexp
	metric string
	label  string
}

// rules are all that is read of Envoy's numbers.
var rules = []rule{
	{regexp.MustCompile(`^http\.(http)\.downstream_rq_active$`), "active_requests", ""},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_cx_active$`), "connections", ""},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_cx_overflow$`), "connections_refused_total", "limit"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_global_cx_overflow$`), "connections_refused_total", "descriptors"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_cx_overload_reject$`), "connections_refused_total", "memory"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_pre_cx_timeout$`), "connections_refused_total", "hello"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.downstream_listener_filter_remote_close$`), "connections_refused_total", "hello"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.no_filter_chain_match$`), "connections_refused_total", "server_name"},
	{regexp.MustCompile(`^listener\.(?:tcp|udp)/(\d+)\.ssl\.connection_error$`), "connections_refused_total", "handshake"},
	{regexp.MustCompile(`^tcp\.(stream/.*)\.downstream_cx_rx_bytes_total$`), "stream_bytes_total", "to_backend"},
	{regexp.MustCompile(`^tcp\.(stream/.*)\.downstream_cx_tx_bytes_total$`), "stream_bytes_total", "to_client"},
	{regexp.MustCompile(`^udp\.(udp/\d+)\.downstream_sess_rx_bytes$`), "stream_bytes_total", "to_backend"},
	{regexp.MustCompile(`^udp\.(udp/\d+)\.downstream_sess_tx_bytes$`), "stream_bytes_total", "to_client"},
	{regexp.MustCompile(`^udp\.(udp/\d+)\.downstream_sess_active$`), "active_streams", ""},
	{regexp.MustCompile(`^udp\.udp/(\d+)\.downstream_sess_no_route$`), "datagrams_dropped_total", "no_route"},
	{regexp.MustCompile(`^udp\.udp/(\d+)\.downstream_sess_rx_errors$`), "datagrams_dropped_total", "receive"},
	{regexp.MustCompile(`^cluster\.udp/(\d+)\.upstream_cx_none_healthy$`), "datagrams_dropped_total", noEndpoints},
	{regexp.MustCompile(`^cluster\.udp/(\d+)\.upstream_cx_overflow$`), "datagrams_dropped_total", "sessions"},
	{regexp.MustCompile(`^cluster\.(.+)\.outlier_detection\.ejections_active$`), "ejected_endpoints", ""},
	{regexp.MustCompile(`^cluster\.(.+)\.outlier_detection\.ejections_enforced_total$`), "ejections_total", ""},
	{regexp.MustCompile(`^overload\.(envoy\.overload_actions\.stop_accepting_requests)\.active$`), "memory_pressed", ""},
}

// kept are the ends of the names of numbers that Envoy keeps. All others it does
// not even make: there are a hundred for each cluster. Outlier detection itself
// reads how many endpoints are ejected.
var kept = []string{
	".downstream_rq_active", ".downstream_cx_active", ".downstream_cx_overflow", ".downstream_global_cx_overflow",
	".downstream_cx_overload_reject", ".downstream_pre_cx_timeout", ".downstream_listener_filter_remote_close",
	".no_filter_chain_match", ".ssl.connection_error", ".downstream_cx_rx_bytes_total", ".downstream_cx_tx_bytes_total",
	".downstream_sess_rx_bytes", ".downstream_sess_tx_bytes", ".downstream_sess_active", ".downstream_sess_no_route",
	".downstream_sess_rx_errors", ".upstream_cx_none_healthy", ".upstream_cx_overflow", ".outlier_detection.ejections_active",
	".outlier_detection.ejections_enforced_total", ".stop_accepting_requests.active",
}

// Keep has Envoy keep those of its numbers that are read here.
func Keep(b *bootstrapv3.Bootstrap) {
	list := &matcherv3.ListStringMatcher{}
	for _, end := range kept {
		list.Patterns = append(list.Patterns, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: end}})
	}
	b.StatsConfig = &metricsv3.StatsConfig{StatsMatcher: &metricsv3.StatsMatcher{
		StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: list},
	}}
}

// numbers reads what Envoy's /stats answers: lines of "name: value".
func (u *Unit) numbers(text string) map[series]float64 {
	all := map[series]float64{}
	u.mu.Lock()
	config := u.config
	u.mu.Unlock()
	if config == nil {
		return all
	}
	for one := range strings.SplitSeq(text, "\n") {
		name, value, ok := strings.Cut(one, ": ")
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil {
			continue
		}
		if s, ok := seriesOf(config, name); ok {
			all[s] += n
		}
	}
	return all
}

// seriesOf returns what one of Envoy's numbers counts in.
func seriesOf(config *envoy.Config, name string) (series, bool) {
	for _, r := range rules {
		m := r.name.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		s := series{r.metric, m[1], r.label}
		switch r.metric {
		case "active_requests", "memory_pressed", "ejections_total":
			s.a = ""
		case "stream_bytes_total", "active_streams":
			s.a = config.Names(m[1], "").Listener
		case "datagrams_dropped_total":
			if flag := config.Names("udp/"+m[1], "").Flag; flag != "" && r.label == noEndpoints {
				s.b = flag
			}
		case "ejected_endpoints":
			s.a = envoy.ParseCluster(m[1])
		}
		return s, true
	}
	return series{}, false
}
