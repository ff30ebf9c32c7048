package arch

// Rule is one rule of the house.
type Rule struct {
	Name string
	// Check returns one sentence for each place that breaks the rule: where it
	// is, what is wrong, and what would be right.
	Check func(*Tree) []string
}

// Rules are all rules, in the order in which they are reported.
func Rules() []Rule {
	return []Rule{
		{"imports follow the table", checkImports},
		{"the ir imports the standard library alone", checkStdOnly},
		{"neutral rooms know no Kubernetes", checkNoKubernetes},
		{"pure packages have no world", checkPure},
		{"the proxy's filters know no codec", checkCodecFree},
		{"every package says what it is", checkPackageDocs},
		{"packages have names of the field", checkPackageNames},
		{"functions are short", checkFunctionLengths},
		{"most functions are very short", checkFunctionQuantiles},
		{"files are short", checkFileSizes},
		{"main is short", checkMain},
		{"there is no init", checkInit},
		{"core functions take one thing", checkParameters},
		{"tests wait for conditions", checkSleep},
		{"nested modules belong to the house", checkModules},
		{"links lead somewhere", checkLinks},
		{"every decision is listed", checkDecisions},
		{"the docs name real targets", checkTargets},
		{"no machine shows through", checkForbidden},
	}
}
