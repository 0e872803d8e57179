"""The French of the hub's pages, by the English it stands for. `tests/unit/hub/web/test_i18n.py` finds what is missing."""

# ruff: noqa: RUF001  # French has apostrophes and quotation marks of its own

FRENCH = {
    # ── house.html, notice.html, contact.html ──
    "Announcement": "Annonce",
    "JupyterHub, your start page": "JupyterHub, votre page d’accueil",
    "Sign out": "Se déconnecter",
    "If it does not help, ask {contact} and quote this:": (
        "Si cela ne suffit pas, écrivez à {contact} en indiquant ceci :"
    ),
    "If it does not help, ask your administrator and quote this:": (
        "Si cela ne suffit pas, adressez-vous à votre administrateur en indiquant ceci :"
    ),
    # ── terms.html ──
    "Terms of use": "Conditions d’utilisation",
    "You did not accept the terms, so no lab can be started for you.": (
        "Vous n’avez pas accepté les conditions : aucun laboratoire ne peut être démarré pour vous."
    ),
    "Nothing else has changed. You can accept them here later, or sign out.": (
        "Rien d’autre n’a changé. Vous pouvez les accepter ici plus tard, ou vous déconnecter."
    ),
    "The terms have changed while you were reading. Please read them again.": (
        "Les conditions ont changé pendant votre lecture. Veuillez les relire."
    ),
    "You accepted these terms on {day}.": "Vous avez accepté ces conditions le {day}.",
    "Before your first lab can start, please read and accept these terms.": (
        "Avant le démarrage de votre premier laboratoire, veuillez lire et accepter ces conditions."
    ),
    "The text of the terms": "Le texte des conditions",
    "To your start page": "Vers votre page d’accueil",
    "I accept": "J’accepte",
    "I do not accept": "Je n’accepte pas",
    "The terms of use have not been accepted yet: no lab can start before. {user} can read and accept them at {url}": (
        "Les conditions d’utilisation n’ont pas encore été acceptées : aucun laboratoire ne peut démarrer avant. "
        "{user} peut les lire et les accepter à l’adresse {url}"
    ),
    # ── not_running.html, error.html ──
    "Your lab did not start": "Votre laboratoire n’a pas démarré",
    "Your lab is not running": "Votre laboratoire est arrêté",
    "Your files are safe: they are in your home, not in the lab.": (
        "Vos fichiers sont en sécurité : ils sont dans votre dossier personnel, pas dans le laboratoire."
    ),
    "It was stopped, or has not been started yet. Your saved files are in your home, and will be there again.": (
        "Il a été arrêté, ou n’a pas encore été démarré. Vos fichiers enregistrés sont dans votre dossier personnel et "
        "vous les y retrouverez."
    ),
    "Server:": "Serveur :",
    "Many labs are starting at this moment. Yours is number {place} in the queue.": (
        "Beaucoup de laboratoires démarrent en ce moment. Le vôtre est numéro {place} dans la file d’attente."
    ),
    "The sign-in service does not answer. Nothing is lost: try again in a few minutes.": (
        "Le service de connexion ne répond pas. Rien n’est perdu : réessayez dans quelques minutes."
    ),
    "Try again": "Réessayer",
    "Start to tidy up": "Démarrer pour faire le ménage",
    "Start my lab": "Démarrer mon laboratoire",
    "This sign-in has run out": "Cette connexion n’est plus valable",
    "It was begun in another tab, or finished before: the back button leads to one that is over. Nothing is lost.": (
        "Elle a été commencée dans un autre onglet, ou est déjà terminée : le bouton « précédent » ramène à une "
        "connexion finie. Rien n’est perdu."
    ),
    "Go on to your start page": "Continuer vers votre page d’accueil",
    "You will be asked to sign in again if you are not signed in. If you see this page each time, allow cookies for "
    "this site.": (
        "Si vous n’êtes pas connecté, on vous demandera de vous connecter à nouveau. Si cette page revient à chaque "
        "fois, autorisez les cookies de ce site."
    ),
    "Not Found": "Page introuvable",
    "Forbidden": "Accès refusé",
    "Bad Request": "Demande incorrecte",
    "Internal Server Error": "Erreur du serveur",
    "Service Unavailable": "Service indisponible",
    "Too Many Requests": "Trop de demandes à la fois",
    # ── start_words.py ──
    "Your lab was started but did not answer in time. Try again: the server may have been busy. If it happens each "
    "time, a file in your home may stop it, such as one you changed below .jupyter or .local.": (
        "Votre laboratoire a été démarré mais n’a pas répondu à temps. Réessayez : le serveur était peut-être "
        "surchargé. Si cela se répète, un fichier de votre dossier personnel peut en être la cause, par exemple sous "
        ".jupyter ou .local."
    ),
    "Something went wrong that has no sentence of its own yet. Try again; if that does not help, tell the "
    "administrator, who finds the reason in the log of the hub.": (
        "Un problème inattendu est survenu. Réessayez ; si cela ne suffit pas, prévenez l’administrateur, qui en "
        "trouvera la raison dans le journal du hub."
    ),
    # ── spawn_pending.html, progress.py ──
    "Your lab is starting": "Votre laboratoire démarre",
    "This page looks again every three seconds and leads on by itself.": (
        "Cette page se recharge toutes les trois secondes et vous conduira plus loin d’elle-même."
    ),
    "JupyterLab itself needs JavaScript: please allow it for this site.": (
        "JupyterLab lui-même a besoin de JavaScript : veuillez l’autoriser pour ce site."
    ),
    "Progress of the start": "Avancement du démarrage",
    "Asked for.": "Demandé.",
    "What has been done so far": "Ce qui a été fait jusqu’ici",
    "You may start it.": "Vous pouvez le démarrer.",
    "The image {image} is there.": "L’image {image} est là.",
    "Your home is there, with your files.": "Votre dossier personnel est là, avec vos fichiers.",
    "A new home is made for you.": "Un nouveau dossier personnel est créé pour vous.",
    "The container is made.": "Le conteneur est créé.",
    "The container runs; JupyterLab is starting in it.": "Le conteneur tourne ; JupyterLab y démarre.",
    "JupyterLab is still starting ({seconds} s).": "JupyterLab démarre encore ({seconds} s).",
    # ── start_failures.py ──
    "The image {image}, from which your lab would start, is not on the server. "
    "Choose another one if you can, and tell the administrator that it is missing.": (
        "L’image {image}, à partir de laquelle votre laboratoire démarrerait, n’est pas sur le serveur. Choisissez-en "
        "une autre si vous le pouvez, et signalez à l’administrateur qu’elle manque."
    ),
    "Your lab is meant to have a GPU and the server cannot give it one. Tell the administrator.": (
        "Votre laboratoire doit disposer d’un GPU et le serveur ne peut pas lui en donner. Prévenez l’administrateur."
    ),
    "The image {image} holds no JupyterHub server that could be started. "
    "Choose another one if you can, and tell the administrator.": (
        "L’image {image} ne contient pas de serveur JupyterHub qui puisse démarrer. Choisissez-en une autre si vous le "
        "pouvez, et prévenez l’administrateur."
    ),
    "The server's disk is full, so no lab can start. Nothing of yours is lost. Tell the administrator.": (
        "Le disque du serveur est plein : aucun laboratoire ne peut démarrer. Rien de vos données n’est perdu. "
        "Prévenez l’administrateur."
    ),
    "The server has no memory left for another lab. Try again in a few minutes, when others have stopped theirs; "
    "if that does not help, tell the administrator.": (
        "Le serveur n’a plus de mémoire pour un autre laboratoire. Réessayez dans quelques minutes, quand d’autres "
        "auront arrêté le leur ; si cela ne suffit pas, prévenez l’administrateur."
    ),
    "The network of the labs has no free address, because so many are running. Try again in a few minutes, and "
    "tell the administrator.": (
        "Le réseau des laboratoires n’a plus d’adresse libre, tant il y en a qui tournent. Réessayez dans quelques "
        "minutes, et prévenez l’administrateur."
    ),
    "The network that labs live in is missing on the server. Tell the administrator, who can bring it back with "
    "`docker compose up -d`.": (
        "Le réseau des laboratoires manque sur le serveur. Prévenez l’administrateur, qui peut le rétablir par "
        "`docker compose up -d`."
    ),
    "Your last lab is still being removed. Try again in a minute.": (
        "Votre dernier laboratoire est encore en cours de suppression. Réessayez dans une minute."
    ),
    "The server is too busy to start your lab just now. Wait a few minutes and try again; if that does not help, tell "
    "the administrator.": (
        "Le serveur est trop occupé pour démarrer votre laboratoire maintenant. Attendez quelques minutes et "
        "réessayez ; si cela ne suffit pas, prévenez l’administrateur."
    ),
    "The server cannot start labs at the moment, because its container engine does not answer. Your files are safe. "
    "Try again in a few minutes; if that does not help, tell the administrator.": (
        "Le serveur ne peut pas démarrer de laboratoire pour l’instant : son moteur de conteneurs ne répond pas. Vos "
        "fichiers sont en sécurité. Réessayez dans quelques minutes ; si cela ne suffit pas, prévenez l’administrateur."
    ),
    "The server could not start your lab. Try again; if that does not help, tell the administrator, who finds the "
    "reason in the log of the hub.": (
        "Le serveur n’a pas pu démarrer votre laboratoire. Réessayez ; si cela ne suffit pas, prévenez "
        "l’administrateur, qui en trouvera la raison dans le journal du hub."
    ),
    "Your lab ended while it started, because it needed more than its limit of memory ({memory}). Try again; if that "
    "does not help, ask the administrator for more.": (
        "Votre laboratoire s’est arrêté au démarrage, car il lui fallait plus que sa limite de mémoire ({memory}). "
        "Réessayez ; si cela ne suffit pas, demandez-en davantage à l’administrateur."
    ),
    "Your lab ended while it started. Often the reason is a package or a setting in your home that JupyterLab does not "
    "get along with: undo what you installed last. If you know of none, tell the administrator, who finds the lab's "
    "last words in the log of the hub.": (
        "Votre laboratoire s’est arrêté au démarrage. La raison est souvent un paquet ou un réglage de votre dossier "
        "personnel que JupyterLab ne supporte pas : défaites ce que vous avez installé en dernier. Si vous n’en voyez "
        "pas, prévenez l’administrateur, qui trouvera les derniers mots du laboratoire dans le journal du hub."
    ),
    # ── images.py ──
    "None of the lab's images is meant for the groups that you are in. Ask the administrator for one.": (
        "Aucune des images du laboratoire n’est destinée aux groupes dont vous faites partie. Demandez-en une à "
        "l’administrateur."
    ),
    "The image {image} is not one that you may choose, or no longer. Start again with one of: {images}.": (
        "L’image {image} n’est pas, ou n’est plus, de celles que vous pouvez choisir. Redémarrez avec l’une de "
        "celles-ci : {images}."
    ),
    # ── quota.py ──
    "Your home holds {used}, but {limit} is all it may hold, so your lab does not start. Start it to tidy up instead: "
    "you get a small lab for {minutes} minutes, in which you can download and delete files. Stop it when you are done, "
    "and start as usual.": (
        "Votre dossier personnel contient {used}, alors que {limit} sont tout ce qu’il peut contenir : votre "
        "laboratoire ne démarre pas. Démarrez-le pour faire le ménage : vous aurez pendant {minutes} minutes un petit "
        "laboratoire, dans lequel télécharger et supprimer des fichiers. Arrêtez-le quand vous aurez fini, et "
        "démarrez comme d’habitude."
    ),
}
