"""The console with a year's worth of desk behind it: 50 people on its pages."""
