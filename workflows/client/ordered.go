package client

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ordered are steps in declared order: those of the plan, with the instances of each in its place, and what undoes them behind it.
type ordered struct {
	byName map[string]*Step
	places map[string]*place
	order  []*place
}

// place is where a step of the plan stands. Its first step stands for those that are to come, until one comes.
type place struct{ steps []*Step }

func newOrdered() ordered { return ordered{byName: map[string]*Step{}, places: map[string]*place{}} }

// step gives the step of that address, or nil.
func (o *ordered) step(name string) *Step { return o.byName[name] }

// add puts a step into its place. The first instance takes that of the step.
func (o *ordered) add(s *Step) {
	base := baseOf(s.Name)
	p := o.places[base]
	if p == nil {
		p = &place{}
		o.places[base], o.order = p, append(o.order, p)
	}
	if strings.HasPrefix(s.Name, base+"[") && o.byName[base] != nil {
		delete(o.byName, base)
		p.steps = p.steps[1:]
	}
	o.byName[s.Name] = s
	if of, ok := strings.CutSuffix(s.Name, ".compensate"); ok {
		if i := slices.Index(p.steps, o.byName[of]); i >= 0 {
			p.steps = slices.Insert(p.steps, i+1, s)
			return
		}
	}
	p.steps = append(p.steps, s)
}

// sort puts the steps of one place into the order of these addresses; those that are not among them stay behind.
func (o *ordered) sort(base string, names []string) {
	p := o.places[base]
	if p == nil {
		return
	}
	rank := make(map[string]int, len(names))
	for i, name := range names {
		rank[name] = i - len(names)
	}
	slices.SortStableFunc(p.steps, func(a, b *Step) int { return rank[a.Name] - rank[b.Name] })
}

func (o *ordered) all() []*Step {
	all := make([]*Step, 0, len(o.byName))
	for _, p := range o.order {
		all = append(all, p.steps...)
	}
	return all
}

// baseOf is the step of the plan that an address is of.
func baseOf(name string) string {
	if i := strings.IndexAny(name, "[."); i >= 0 {
		return name[:i]
	}
	return name
}

// splitID takes a task's id apart: the address, and which time the step runs. A key of for_each may hold a "#", but not at the end.
func splitID(id string) (name string, round int) {
	i := strings.LastIndexByte(id, '#')
	if i < 0 {
		return id, 0
	}
	n, err := strconv.Atoi(id[i+1:])
	if err != nil {
		return id, 0
	}
	return id[:i], n
}

// childStep is the id of the task whose child workflow has that id, by the id of its caller: RUN/TASK, with "@" and a run id behind it
// where the caller was reset.
func childStep(id, run string) (task string, ok bool) {
	task, ok = strings.CutPrefix(id, run+"/")
	return generation.ReplaceAllString(task, ""), ok
}

//nolint:gochecknoglobals // a constant
var generation = regexp.MustCompile(`@[0-9a-f-]{36}$`)
