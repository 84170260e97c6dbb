"""tale_world.py - the little world that the tales happen in: who lives there, what things are like, what can be done with them.

Everything that a tale or a talk says about an animal, a thing or a place is looked up here, so that they agree: a duck swims in every tale, and
the talks about ducks say so too.
"""

NAMES = {'she': ['Lily', 'Mia', 'Anna', 'Rosa', 'Ida', 'Nora', 'Tess', 'Ella'], 'he': ['Tom', 'Ben', 'Max', 'Finn', 'Leo', 'Sam', 'Otto', 'Jack'],
         'pet': ['Pip', 'Bramble', 'Momo', 'Dot', 'Hazel', 'Tiko', 'Poppy', 'Nutmeg', 'Button', 'Willow']}
POSSESSIVE, OBJECT = {'she': 'her', 'he': 'his'}, {'she': 'her', 'he': 'him'}

# animal: (home, food, ability, sound, looks)
ANIMALS = {
    'fox': ('a den under the oak', 'berries', 'dig', 'yips', 'red'), 'owl': ('a hollow tree', 'moths', 'fly', 'hoots', 'grey'),
    'mouse': ('a hole in the wall', 'seeds', 'squeeze', 'squeaks', 'small'), 'bear': ('a cave', 'honey', 'push', 'growls', 'big'),
    'rabbit': ('a burrow', 'carrots', 'dig', 'thumps', 'white'), 'duck': ('the reeds', 'weeds', 'swim', 'quacks', 'yellow'),
    'frog': ('the pond', 'flies', 'swim', 'croaks', 'green'), 'crow': ('a tall pine', 'corn', 'fly', 'caws', 'black'),
    'squirrel': ('a nest of leaves', 'nuts', 'climb', 'chatters', 'brown'), 'cat': ('a warm barn', 'fish', 'climb', 'purrs', 'soft'),
    'otter': ('the river bank', 'fish', 'swim', 'whistles', 'sleek'), 'hedgehog': ('a pile of leaves', 'beetles', 'squeeze', 'snuffles', 'prickly'),
    'horse': ('a stable', 'hay', 'push', 'neighs', 'strong'), 'badger': ('a sett', 'roots', 'dig', 'grunts', 'old'),
}
# ability: (what one does with it, done, its reason)
ABILITIES = {
    'fly': ('fly up', 'flew up', 'wings'), 'climb': ('climb up', 'climbed up', 'sharp claws'), 'swim': ('swim out', 'swam out', 'wet feet'),
    'squeeze': ('squeeze in', 'squeezed in', 'a tiny body'), 'push': ('push hard', 'pushed hard', 'strong legs'), 'dig': ('dig deep', 'dug deep', 'good paws'),
}
# where a thing gets lost: (how, where it is now, abilities that get it back)
TROUBLES = [
    ('a strong wind blew it away', 'high in a tree', ('fly', 'climb')), ('a wave took it', 'far out on the water', ('swim',)),
    ('it rolled down the bank', 'out on the pond', ('swim',)), ('it slipped into a crack', 'deep in a narrow crack', ('squeeze',)),
    ('a stone fell on it', 'under a heavy stone', ('push',)), ('the sand covered it', 'under the sand', ('dig',)),
    ('a branch caught it', 'at the top of a bush', ('fly', 'climb')), ('it fell through a gap', 'behind a narrow gate', ('squeeze',)),
]
THINGS = ['ball', 'kite', 'boat', 'hat', 'drum', 'key', 'bell', 'ring', 'cup', 'book', 'scarf', 'spoon', 'whistle', 'basket']
COLOURS = ['red', 'blue', 'green', 'yellow', 'white', 'brown', 'silver', 'golden']
# place: (at it, what it is like)
PLACES = {
    'forest': ('in the forest', 'The trees were tall and the moss was soft.'), 'lake': ('at the lake', 'The water was clear and still.'),
    'hill': ('on the hill', 'The grass was long and the wind was warm.'), 'garden': ('in the garden', 'Bees hummed around the flowers.'),
    'beach': ('on the beach', 'The sand was warm and the waves were low.'), 'meadow': ('in the meadow', 'The meadow was full of clover.'),
    'village': ('in the village', 'Smoke rose from the chimneys.'), 'river': ('by the river', 'The river ran fast over the stones.'),
    'farm': ('on the farm', 'The hens walked around the yard.'), 'mill': ('at the old mill', 'The wheel turned slowly.'),
}
WEATHER = [('sunny', 'The sun was bright.'), ('windy', 'The wind played with the leaves.'), ('rainy', 'Rain fell on the roofs.'),
           ('cold', 'There was frost on the grass.'), ('quiet', 'Not a leaf moved.'), ('foggy', 'The fog lay low over the fields.')]
TRAITS = ['kind', 'brave', 'curious', 'shy', 'cheerful', 'clever', 'gentle', 'patient']
FOODS = {'apples': 'apple', 'cakes': 'cake', 'plums': 'plum', 'nuts': 'nut', 'pears': 'pear', 'buns': 'bun', 'cookies': 'cookie', 'eggs': 'egg'}
# dish: things it needs, each with the place it comes from
DISHES = {
    'apple pie': (('apples', 'garden'), ('flour', 'mill'), ('eggs', 'farm')), 'berry jam': (('berries', 'forest'), ('honey', 'meadow'), ('a jar', 'village')),
    'vegetable soup': (('carrots', 'garden'), ('water', 'river'), ('salt', 'village')), 'warm bread': (('flour', 'mill'), ('milk', 'farm'), ('salt', 'beach')),
    'nut cake': (('nuts', 'forest'), ('eggs', 'farm'), ('flour', 'mill')), 'flower tea': (('flowers', 'hill'), ('water', 'lake'), ('honey', 'meadow')),
}
FEARS = [('the dark', 'a lantern', 'The light was small, but it was enough.'), ('the storm', 'a song', 'They sang until the thunder went away.'),
         ('the deep water', 'a hand to hold', 'One step, then one more, and the water was only cool.'),
         ('the tall bridge', 'a rope', 'The rope was strong and the bridge did not shake.'),
         ('the big dog', 'a bone', 'The dog wagged its tail and lay down.'), ('the old house', 'a friend', 'Inside there was only a clock that ticked.')]
PLANTS = [('bean', 'beans'), ('pumpkin', 'pumpkins'), ('sunflower', 'seeds'), ('cherry', 'cherries'), ('strawberry', 'strawberries'), ('rose', 'roses')]
# riddle: answer
RIDDLES = {
    'What has hands but cannot clap?': 'a clock', 'What gets wetter the more it dries?': 'a towel', 'What has teeth but cannot bite?': 'a comb',
    'What runs but never walks?': 'a river', 'What has an eye but cannot see?': 'a needle', 'What goes up but never comes down?': 'your age',
    'What has a neck but no head?': 'a bottle', 'What falls but never gets hurt?': 'the rain', 'What is full of holes but still holds water?': 'a sponge',
}
OPPOSITES = {'hot': 'cold', 'big': 'small', 'fast': 'slow', 'day': 'night', 'up': 'down', 'old': 'young', 'wet': 'dry', 'happy': 'sad', 'loud': 'quiet',
             'full': 'empty', 'light': 'dark', 'early': 'late', 'hard': 'soft', 'open': 'closed', 'high': 'low'}
COLOUR_OF = {'grass': 'green', 'snow': 'white', 'the sky': 'blue', 'a lemon': 'yellow', 'a cherry': 'red', 'coal': 'black', 'milk': 'white',
             'a carrot': 'orange', 'the sea': 'blue', 'a leaf': 'green', 'a crow': 'black', 'the sun': 'yellow', 'chocolate': 'brown'}
DAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']
SEASONS = {'spring': ('summer', 'the flowers open'), 'summer': ('autumn', 'the days are warm'), 'autumn': ('winter', 'the leaves fall'),
           'winter': ('spring', 'the snow falls')}
