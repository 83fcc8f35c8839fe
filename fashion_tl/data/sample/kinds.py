"""The 30 article types of the built-in sample: their names, how they vary, and what draws them."""

from collections.abc import Callable
from dataclasses import dataclass

from fashion_tl.data.sample import bags, clothes, cosmetics, legwear, shoes, things


@dataclass(frozen=True)
class Kind:
    """One article type: Kaggle's names, what is sold, and how it is drawn."""

    name: str
    master: str
    sub: str
    noun: str
    draw: Callable
    genders: str
    usages: str
    colours: str
    patterns: str
    mirror: bool = False


DEEP = "Black,Navy Blue,Blue,Grey,Charcoal,Maroon,Olive,Teal,Brown"
BRIGHT = (
    "White,Blue,Red,Green,Yellow,Pink,Purple,Turquoise Blue,"
    "Orange,Lavender,Peach,Navy Blue,Black,Teal"
)
LEATHER = "Black,Black,Brown,Brown,Tan,Maroon,Navy Blue,Beige,Olive"
SMART = "White,Blue,Blue,Navy Blue,Lavender,Pink,Grey,Beige,Teal,Maroon,Black,Green"
LIPS = "Red,Pink,Maroon,Peach,Purple,Orange,Brown"
DENIM = "Blue,Blue,Navy Blue,Charcoal,Grey,Black"
A, F, X, P = "Apparel", "Footwear", "Accessories", "Personal Care"
MW = "Men,Men,Women,Boys,Girls"
M = "Men,Men,Men,Boys"
W = "Women,Women,Women,Girls"
U = "Men,Women,Unisex"
CAS = "Casual"
FOR = "Formal,Formal,Casual"
SPO = "Sports,Sports,Casual"
PAR = "Casual,Party,Ethnic"
WOVEN = "Solid,Solid,Striped,Checked,Checked,Pinstriped"
FANCY = "Solid,Solid,Floral,Polka Dot,Striped"
# fmt: off
# Ranked: the first ``types`` of them make a smaller sample.
KINDS = (
    Kind("Tshirts", A, "Topwear", "T-shirt",
         clothes.tshirt, MW, CAS, BRIGHT, "Solid,Solid,Printed,Printed,Striped"),
    Kind("Shirts", A, "Topwear", "Shirt",
         clothes.shirt, M, FOR, SMART, WOVEN),
    Kind("Casual Shoes", F, "Shoes", "Sneakers",
         shoes.casual_shoe, MW, CAS, DEEP + ",Red,Beige", "Solid,Solid,Checked", True),
    Kind("Watches", X, "Watches", "Watch",
         things.watch, U, CAS, "Black,Black,Brown,Silver,Gold,Blue,Red,Pink", "Solid"),
    Kind("Handbags", X, "Bags", "Handbag",
         bags.handbag, W, PAR, LEATHER + ",Red,Pink,Teal,Mustard", "Solid,Solid,Floral,Checked"),
    Kind("Tops", A, "Topwear", "Top",
         clothes.top, W, CAS, BRIGHT, FANCY),
    Kind("Sports Shoes", F, "Shoes", "Running Shoes",
         shoes.sports_shoe, MW, SPO, BRIGHT + ",Grey,Charcoal", "Solid", True),
    Kind("Sunglasses", X, "Eyewear", "Sunglasses",
         things.sunglasses, U, CAS, "Black,Black,Brown,Gold,Silver,Red,Purple,Tan", "Solid"),
    Kind("Jeans", A, "Bottomwear", "Jeans",
         legwear.jeans, MW, CAS, DENIM, "Solid"),
    Kind("Heels", F, "Shoes", "Heels",
         shoes.heel, "Women", PAR, "Black,Red,Beige,Tan,Pink,Purple,Gold,Teal",
         "Solid,Solid,Solid,Polka Dot", True),
    Kind("Dresses", A, "Dress", "Dress",
         clothes.dress, W, PAR, BRIGHT + ",Red,Maroon", FANCY),
    Kind("Sandals", F, "Sandal", "Sandals",
         shoes.sandal, MW, CAS, LEATHER + ",Blue,Red", "Solid", True),
    Kind("Backpacks", X, "Bags", "Backpack",
         bags.backpack, U, CAS, DEEP + ",Red,Green,Orange,Purple",
         "Solid,Solid,Solid,Checked,Polka Dot"),
    Kind("Flip Flops", F, "Flip Flops", "Flip Flops",
         shoes.flip_flops, MW, CAS, BRIGHT + ",Brown", "Solid,Solid,Solid,Striped,Floral"),
    Kind("Shorts", A, "Bottomwear", "Shorts",
         legwear.shorts, MW, SPO, DEEP + ",Khaki,Beige,Red,Green", "Solid,Solid,Checked"),
    Kind("Trousers", A, "Bottomwear", "Trousers",
         legwear.trousers, M + ",Women", FOR, DEEP + ",Khaki,Beige", "Solid,Solid,Pinstriped"),
    Kind("Wallets", X, "Wallets", "Wallet",
         bags.wallet, U, CAS, LEATHER + ",Red,Pink,Teal", "Solid,Solid,Solid,Checked"),
    Kind("Belts", X, "Belts", "Belt",
         bags.belt, U, FOR, LEATHER, "Solid,Solid,Solid,Striped"),
    Kind("Perfume and Body Mist", P, "Fragrance", "Perfume",
         cosmetics.perfume, "Men,Women", CAS,
         "Blue,Teal,Purple,Pink,Gold,Peach,Green,Black,Lavender,Red", "Solid"),
    Kind("Socks", X, "Socks", "Socks",
         legwear.socks, MW, SPO, BRIGHT + ",Grey", "Solid,Striped,Polka Dot,Checked", True),
    Kind("Formal Shoes", F, "Shoes", "Formal Shoes",
         shoes.formal_shoe, "Men", "Formal", "Black,Black,Brown,Tan,Maroon", "Solid", True),
    Kind("Jackets", A, "Topwear", "Jacket",
         clothes.jacket, MW, CAS, DEEP + ",Red,Mustard,Khaki", "Solid,Solid,Solid,Checked"),
    Kind("Caps", X, "Headwear", "Cap",
         things.cap, U, SPO, BRIGHT + ",Khaki,Olive", "Solid,Solid,Checked,Striped", True),
    Kind("Ties", X, "Ties", "Tie",
         things.tie, "Men", "Formal", DEEP + ",Red,Purple,Mustard",
         "Diagonal,Diagonal,Polka Dot,Solid,Checked"),
    Kind("Lipstick", P, "Lips", "Lipstick",
         cosmetics.lipstick, "Women", CAS, LIPS, "Solid", True),
    Kind("Sweaters", A, "Topwear", "Sweater",
         clothes.sweater, MW, CAS, DEEP + ",Red,Mustard,Beige,Lavender,Green",
         "Solid,Solid,Fair Isle,Striped"),
    Kind("Skirts", A, "Bottomwear", "Skirt",
         legwear.skirt, W, CAS, BRIGHT + ",Khaki,Maroon", FANCY + ",Checked"),
    Kind("Earrings", X, "Jewellery", "Earrings",
         things.earrings, "Women", PAR, "Gold,Gold,Silver,Silver,Turquoise Blue,Red", "Solid"),
    Kind("Nail Polish", P, "Nails", "Nail Polish",
         cosmetics.nail_polish, "Women", CAS, LIPS + ",Blue,Teal,Lavender,Turquoise Blue", "Solid"),
    Kind("Water Bottle", X, "Water Bottle", "Water Bottle",
         things.water_bottle, "Unisex", SPO, "Blue,Red,Green,Teal,Orange,Grey,Purple", "Solid"),
)
# fmt: on
