package gatewayapi

import (
	"regexp"
	"slices"
	"strconv"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/sluice-gateway/sluice/ir"
)

// corsOrigin is Gateway API's pattern of an origin.
var corsOrigin = regexp.MustCompile(`(^\*$)|(^https?://((\*\.)?([a-zA-Z0-9\-]+\.)*[a-zA-Z0-9-]+|\*)(:([0-9]{1,5}))?$)`)

// defaultMaxAge is Gateway API's default of maxAge, in seconds.
const defaultMaxAge = 5

func (b *ruleBuilder) cors(f *gatewayv1.HTTPRouteFilter, field string) *ir.Filter {
	c := f.CORS
	if c == nil {
		return b.empty(field, f.Type)
	}
	field += ".cors"
	made := &ir.CORS{
		AllowOrigins:     each(c.AllowOrigins, func(o *gatewayv1.CORSOrigin) string { return string(*o) }),
		AllowCredentials: orDefault(c.AllowCredentials, false),
		AllowMethods:     each(c.AllowMethods, func(m *gatewayv1.HTTPMethodWithWildcard) string { return string(*m) }),
		AllowHeaders:     each(c.AllowHeaders, func(h *gatewayv1.HTTPHeaderName) string { return string(*h) }),
		ExposeHeaders:    each(c.ExposeHeaders, func(h *gatewayv1.HTTPHeaderName) string { return string(*h) }),
		MaxAge:           defaultMaxAge,
	}
	if c.MaxAge != 0 {
		made.MaxAge = int(c.MaxAge)
	}
	b.checkCORS(made, field)
	return &ir.Filter{CORS: made}
}

func (b *ruleBuilder) checkCORS(c *ir.CORS, field string) {
	if c.MaxAge < 0 {
		b.refuse(field+".maxAge", "%d is no number of seconds; use 1 or more", c.MaxAge)
	}
	b.checkList(c.AllowOrigins, field+".allowOrigins", validOrigin, "it is an origin such as https://app.example.com, or *")
	b.checkList(c.AllowMethods, field+".allowMethods", validMethod, "it is a method in upper case, or *")
	b.checkList(c.AllowHeaders, field+".allowHeaders", token.MatchString, "it is a header's name, or *")
	b.checkList(c.ExposeHeaders, field+".exposeHeaders", token.MatchString, "it is a header's name, or *")
}

// checkList refuses what is not valid, and "*" beside other elements.
func (b *ruleBuilder) checkList(list []string, field string, valid func(string) bool, rule string) {
	for i, value := range list {
		switch {
		case !valid(value):
			b.refuse(item(field, i), "%s is not valid; %s", quote(value), rule)
		case value == "*" && len(list) > 1:
			b.refuse(item(field, i), "* allows all, and stands alone; remove it or the others")
		}
	}
}

func validOrigin(origin string) bool {
	parts := corsOrigin.FindStringSubmatch(origin)
	if parts == nil {
		return false
	}
	port := parts[len(parts)-1]
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 1 && n <= 65535
}

func validMethod(method string) bool {
	return method == "*" || slices.Contains(methods, gatewayv1.HTTPMethod(method))
}
