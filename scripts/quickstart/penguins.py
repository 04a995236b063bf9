"""What an analytics agent might write: a table and a chart from the user's own file."""

import matplotlib.pyplot as plt
import pandas as pd

penguins = pd.read_csv("penguins.csv").dropna()

figure, axes = plt.subplots(figsize=(7, 4.2))
for species, group in penguins.groupby("species"):
    axes.scatter(group["flipper_length_mm"], group["body_mass_g"], label=species, s=18, alpha=0.7)
axes.set(title="Palmer penguins", xlabel="flipper length (mm)", ylabel="body mass (g)")
axes.legend(title="species", frameon=False)
axes.spines[["top", "right"]].set_visible(False)

penguins.groupby("species").agg(
    birds=("species", "size"),
    bill_mm=("bill_length_mm", "mean"),
    flipper_mm=("flipper_length_mm", "mean"),
    mass_g=("body_mass_g", "mean"),
).round(1).reset_index()
