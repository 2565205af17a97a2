package stack_test

import (
	"testing"
	"time"

	schedulepb "go.temporal.io/api/schedule/v1"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/service/worker/scheduler"

	"github.com/containerpub/cpub/engine/config"
)

// TestCronAsTemporal reads cron texts as the server does, and wants the same times of what config.ParseCron makes of them.
func TestCronAsTemporal(t *testing.T) {
	builder := scheduler.NewSpecBuilder(dynamicconfig.GetIntPropertyFn(0), dynamicconfig.GetIntPropertyFn(0))
	times := func(spec *schedulepb.ScheduleSpec) (out []time.Time) {
		spec.TimezoneName = "Europe/Zurich"
		compiled, err := builder.NewCompiledSpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		at := time.Date(2026, 3, 27, 22, 0, 0, 0, time.UTC) // before a change of clocks
		for range 50 {
			next, err := compiled.GetNextTime("", at)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, next.Nominal)
			if at = next.Nominal; at.IsZero() {
				break
			}
		}
		return out
	}
	for _, text := range []string{
		"* * * * *", "0 2 * * *", "30 2 * * *", "*/7 1-4/2,22 * * *", "5/20 * * * *", "0 0 1-7 * MON", "0 0 * * 7", "0 0 * * sun", "0 0 * * 5-7",
		"0 0 * * 1-7/2", "0 0 * * 3-7/3", "0 0 * * 0-7", "0 0 * * 6/1", "0 0 * * */3", "0 0 29 2 *", "0 0 31 * *", "0 0 1 JAN,jul *", "0 0 1 2/3 *",
		"0 0 1 */5 *", "0 0 13 * fri 2027", "15,45 0 12 * * * *", "*/20 59 23 31 12 * 2026-2040/2", "@yearly", "@monthly", "@weekly", "@daily", "@hourly",
		"@annually", "@midnight",
	} {
		c, err := config.ParseCron(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		ours := times(&schedulepb.ScheduleSpec{StructuredCalendar: []*schedulepb.StructuredCalendarSpec{{
			Second: pbRanges(c.Second), Minute: pbRanges(c.Minute), Hour: pbRanges(c.Hour), DayOfMonth: pbRanges(c.DayOfMonth),
			Month: pbRanges(c.Month), DayOfWeek: pbRanges(c.DayOfWeek), Year: pbRanges(c.Year),
		}}})
		theirs := times(&schedulepb.ScheduleSpec{CronString: []string{text}})
		if len(ours) != len(theirs) || len(ours) < 2 {
			t.Errorf("%q has %d times, the server has %d", text, len(ours), len(theirs))
			continue
		}
		for i := range ours {
			if !ours[i].Equal(theirs[i]) {
				t.Errorf("%q: time %d is %s, the server's is %s", text, i, ours[i], theirs[i])
				break
			}
		}
	}
}

func pbRanges(all []config.CronRange) (out []*schedulepb.Range) {
	for _, r := range all {
		out = append(out, &schedulepb.Range{Start: int32(r.Start), End: int32(r.End), Step: int32(r.Step)})
	}
	return out
}
