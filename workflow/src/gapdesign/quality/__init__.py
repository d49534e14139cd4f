"""The quality of designs before any label: measures, curves against budget and pool size, and maps."""
