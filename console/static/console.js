// What every page loads: it comes alive with these; without them every form and link still works.
import "./live.js";
import "./keys.js";
import "./time.js";
