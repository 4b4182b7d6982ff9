# Rivers of catchments that never were: daily rain and temperature, and the flow that two reservoirs make of them. Snow
# waits below 0 degrees; a soil of some capacity evaporates, and what it cannot hold goes to a fast and to a slow reservoir.
#   awk -v catchments=20 -v days=1461 -f examples/catchments.awk >catchments.csv
# The columns capacity (mm), fast (share), fast_days, slow_days, wetness (mm a day) and mountain (yes or no) do not change.
function random() {  # the minimal standard generator (Park and Miller 1988): the same numbers in every awk
  state = (state * 16807) % 2147483647
  return state / 2147483647
}
function normal(   u) { u = random(); return sqrt(-2 * log(u)) * cos(6.283185307 * random()) }
BEGIN {
  if (!catchments) catchments = 20
  if (!days) days = 1461
  print "catchment,day,capacity,fast,fast_days,slow_days,wetness,mountain,rain,temperature,flow"
  for (c = 1; c <= catchments; ++c) {
    state = 1000 + 7919 * c
    for (i = 0; i < 10; ++i) random()
    capacity = 40 + 160 * random(); fast = 0.2 + 0.6 * random(); fast_days = 1.5 + 3 * random()
    slow_days = 15 + 30 * random(); wetness = 3 + 7 * random(); mountain = random() < 0.4
    mean = mountain ? 3 : 10
    soil = capacity / 2; quick = 2; slow = 20; snow = 0; noise = 0; wet = 0
    for (day = 1; day <= days; ++day) {
      wet = random() < (wet ? 0.6 : 0.25)
      rain = wet ? -wetness * log(random()) : 0
      noise = 0.8 * noise + 2 * normal()
      temperature = mean - 10 * cos(6.283185307 * day / 365.25) + noise
      if (temperature < 0) { snow += rain; water = 0 } else { melt = 3 * temperature; if (melt > snow) melt = snow; snow -= melt; water = rain + melt }
      soil += water
      dry = temperature > 0 ? 0.25 * temperature * soil / capacity : 0
      soil -= dry
      excess = soil > capacity ? soil - capacity : 0
      soil -= excess
      drain = 0.02 * soil; soil -= drain
      quick += fast * excess; slow += (1 - fast) * excess + drain
      a = quick / fast_days; b = slow / slow_days
      quick -= a; slow -= b
      flow = (a + b) * (1 + 0.03 * normal())
      printf "c%02d,%d,%.1f,%.3f,%.2f,%.1f,%.2f,%s,%.2f,%.2f,%.4f\n", c, day, capacity, fast, fast_days, slow_days, wetness, mountain ? "yes" : "no", rain, temperature, flow
    }
  }
}
