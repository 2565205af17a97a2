package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cron is a cron text as Temporal reads it: a time at which every field matches. Unlike in other programs, a day must match both its
// fields where both are given.
type Cron struct {
	Text                                               string
	Second, Minute, Hour, DayOfMonth, Month, DayOfWeek []CronRange
	// Year is empty where every year matches.
	Year []CronRange
}

// CronRange are the numbers from Start to End, End included, of which every Step-th one counts.
type CronRange struct{ Start, End, Step int }

// cronField is what may stand in one field of a cron text.
type cronField struct {
	name     string
	min, max int
	names    []string // of numbers, from first on; at least so many letters of them
	first    int
	letters  int
}

var (
	cronMonths = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
	cronDays   = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

	cronFields = []cronField{
		{name: "second", max: 59},
		{name: "minute", max: 59},
		{name: "hour", max: 23},
		{name: "day of the month", min: 1, max: 31},
		{name: "month", min: 1, max: 12, names: cronMonths, first: 1, letters: 3},
		{name: "day of the week", max: 7, names: cronDays, letters: 2},
		{name: "year", min: 2000, max: 2100},
	}
	cronWords = map[string]string{
		"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *",
		"@midnight": "0 0 * * *", "@hourly": "0 * * * *",
	}
)

// ParseCron reads a cron text of five fields (minute, hour, day of the month, month, day of the week), of six with the year behind them, of
// seven with the second before them, or one of @hourly, @daily, @weekly, @monthly and @yearly.
func ParseCron(text string) (*Cron, error) {
	plain := strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(plain, "TZ=") || strings.HasPrefix(plain, "CRON_TZ="):
		return nil, errors.New("the time zone has an attribute of its own: timezone = \"…\"")
	case strings.HasPrefix(plain, "@every"):
		return nil, errors.New("@every has an attribute of its own: interval = \"…\"")
	case strings.Contains(plain, "#"):
		return nil, errors.New("a comment stands beside the text, not in it")
	case strings.HasPrefix(plain, "@"):
		word, ok := cronWords[plain]
		if !ok {
			return nil, fmt.Errorf("there is no %s: there are @hourly, @daily, @weekly, @monthly and @yearly", plain)
		}
		plain = word
	}
	fields := strings.Fields(plain)
	switch len(fields) {
	case 5:
		fields = append(append([]string{"0"}, fields...), "*")
	case 6:
		fields = append([]string{"0"}, fields...)
	case 7:
	default:
		return nil, fmt.Errorf("it has %d fields; a cron text has five: minute, hour, day of the month, month, day of the week", len(fields))
	}
	c := &Cron{Text: strings.TrimSpace(text)}
	for i, into := range []*[]CronRange{&c.Second, &c.Minute, &c.Hour, &c.DayOfMonth, &c.Month, &c.DayOfWeek, &c.Year} {
		ranges, err := cronFields[i].parse(fields[i])
		if err != nil {
			return nil, err
		}
		*into = ranges
	}
	if fields[6] == "*" {
		c.Year = nil
	}
	c.DayOfWeek = sunday(c.DayOfWeek)
	if !c.comes() {
		return nil, errors.New("there is no such day")
	}
	return c, nil
}

func (f cronField) parse(text string) (out []CronRange, err error) {
	for part := range strings.SplitSeq(text, ",") {
		r, err := f.part(part)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// part reads one of the parts between commas: *, 1, 1-5, each with /2 behind it or without.
func (f cronField) part(text string) (r CronRange, err error) {
	r = CronRange{f.min, f.max, 1}
	span, step, stepped := strings.Cut(text, "/")
	if stepped {
		if r.Step, err = strconv.Atoi(step); err != nil || r.Step < 1 || r.Step > f.max {
			return r, fmt.Errorf("the step %q of the %s takes a number from 1 to %d", step, f.name, f.max)
		}
	}
	if span == "*" {
		return r, nil
	}
	from, to, ranged := strings.Cut(span, "-")
	if r.Start, err = f.number(from); err != nil {
		return r, err
	}
	switch {
	case ranged:
		if r.End, err = f.number(to); err != nil {
			return r, err
		}
	case !stepped: // with a step it goes on to the last
		r.End = r.Start
	}
	if r.End < r.Start {
		return r, fmt.Errorf("the %s %q ends before it begins", f.name, span)
	}
	return r, nil
}

func (f cronField) number(text string) (int, error) {
	if len(text) >= f.letters && f.letters > 0 {
		if i := slices.IndexFunc(f.names, func(name string) bool { return strings.HasPrefix(name, strings.ToLower(text)) }); i >= 0 {
			return i + f.first, nil
		}
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.min || n > f.max {
		form := ""
		if f.names != nil {
			form = ", or a name such as " + strings.ToUpper(f.names[1][:3])
		}
		return 0, fmt.Errorf("the %s is %q; it takes %d to %d%s", f.name, text, f.min, f.max, form)
	}
	return n, nil
}

// sunday makes 7 what 0 is.
func sunday(ranges []CronRange) (out []CronRange) {
	for _, r := range ranges {
		if r.End < 7 {
			out = append(out, r)
			continue
		}
		if (7-r.Start)%r.Step == 0 && !inRanges([]CronRange{r}, 0) {
			out = append(out, CronRange{0, 0, 1})
		}
		if r.Start < 7 {
			out = append(out, CronRange{r.Start, 6, r.Step})
		}
	}
	return out
}

// comes tells whether any day matches: there is no 31 February.
func (c *Cron) comes() bool {
	last := time.Date(2100, 12, 31, 0, 0, 0, 0, time.UTC)
	for day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); !day.After(last); day = day.AddDate(0, 0, 1) {
		if inRanges(c.Month, int(day.Month())) && inRanges(c.DayOfMonth, day.Day()) && inRanges(c.DayOfWeek, int(day.Weekday())) &&
			(c.Year == nil || inRanges(c.Year, day.Year())) {
			return true
		}
	}
	return false
}

func inRanges(ranges []CronRange, n int) bool {
	return slices.ContainsFunc(ranges, func(r CronRange) bool { return n >= r.Start && n <= r.End && (n-r.Start)%r.Step == 0 })
}
